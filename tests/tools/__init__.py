"""Programs for developers. The Makefile runs them; none is part of the package."""
