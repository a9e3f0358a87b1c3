"""Fuzzing of what comes from outside, with coverage as the guide (atheris): `make fuzz`, or `python -m fuzz`.

    __main__.py    runs every target in a process of its own and prints what it did; fails on a crash
    worker.py      one target under atheris
    mutations.py   changes that know JSON, beside libFuzzer's own
    targets.py     what is fed with bytes
    invariants.py  what must hold of everything that comes out
    seeds.py       where the mutations begin: the worked examples of the services' contracts
    answers.py     an HTTP answer as bytes that can be mutated, and back
    crashes/       inputs that broke something once, by target; the default test run feeds them again

Here belongs what needs minutes and luck. Not here: properties that a test can hold every time; those stand beside the
code's other tests. A crash found here is written to `crashes/`, fixed, and stays there.
"""
