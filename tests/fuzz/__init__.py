"""A fuzzer for data from outside, guided by coverage (atheris): `make fuzz`, or `python -m fuzz`.

    __main__.py    runs each target in a process, prints a line for it, and fails on a crash
    worker.py      one target under atheris
    mutations.py   mutations of JSON values, besides those of libFuzzer
    targets.py     the functions under test
    user_inputs.py those among them that read what the user gives
    references.py  simple forms of some of them
    invariants.py  the conditions that every result must meet
    seeds.py       the first inputs: the worked examples of docs/contracts.md
    answers.py     the encoding of an HTTP answer as bytes, and back
    crashes/       inputs that once caused a failure, by target; every test run repeats them

Only tests that need minutes and chance belong here. Properties that can be checked in every run are tested with their
module. A new crash is written to `crashes/`. The input stays there after the fix.
"""
