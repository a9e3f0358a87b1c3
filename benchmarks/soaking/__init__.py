"""The parts of the soak test, `python -m benchmarks.soak`: what is run and broken, what is watched, what is judged.

Nothing here asks the program whether it did well. Files, objects and the journal's tables are read from outside; only
the manifest is the program's own word, because that is what is to be true.
"""
