"""Small programs that upload a folder with a library; each is run by itself, and imports nothing from here."""
