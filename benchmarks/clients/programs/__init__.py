"""Small programs that upload a folder with a library. Each runs on its own and imports nothing from here."""
