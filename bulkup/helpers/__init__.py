"""Small modules that know nothing of uploads. A module that could not be a library of its own does not belong here."""
