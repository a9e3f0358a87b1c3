"""Small modules that are independent of uploads. A module belongs here if it could be a library of its own."""
