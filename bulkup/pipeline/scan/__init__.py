"""For the scanner: which files a source holds, and what to do with each of them."""
