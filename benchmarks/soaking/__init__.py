"""The parts of the soak test, `python -m benchmarks.soak`: processes, disturbances, observation and verdict.

Files, objects and the tables of the journal are read directly, without bulkup. Only the manifest is printed by bulkup,
because the manifest is what the test checks.
"""
