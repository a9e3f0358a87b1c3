"""The targets of tests/fuzz without atheris, with their seeds and with every input that once broke one."""

from __future__ import annotations

import glob
import os
import random

import fuzz
import pytest
from fuzz.mutations import json_mutated
from fuzz.targets import TARGETS

FOUND = sorted(glob.glob(os.path.join(os.path.dirname(fuzz.__file__), "crashes", "*", "*")))


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_accepts_its_seeds(name: str) -> None:
    """The inputs are the worked examples, and a few hundred changes to them."""
    chance = random.Random(0)
    for seed in TARGETS[name].seeds:
        TARGETS[name].feed(seed)
        for _ in range(20):
            TARGETS[name].feed(json_mutated(seed, chance) or seed[: chance.randrange(len(seed) + 1)])


@pytest.mark.parametrize("path", FOUND, ids=lambda path: "/".join(path.split(os.sep)[-2:]))
def test_inputs_that_once_broke_a_target(path: str) -> None:
    """Inputs are stored in a folder with the name of the target."""
    with open(path, "rb") as file:
        TARGETS[path.split(os.sep)[-2]].feed(file.read())
