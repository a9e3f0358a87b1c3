"""The reference pages that are made from code. `python -m tools.reference` writes them; a test compares them."""
