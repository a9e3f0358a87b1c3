"""The targets of tests/fuzz without atheris: what they begin with, and every input that broke one once."""

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
def test_a_target_takes_what_it_begins_with(name: str) -> None:
    """The worked examples, and a few hundred changes to them."""
    chance = random.Random(0)
    for seed in TARGETS[name].seeds:
        TARGETS[name].feed(seed)
        for _ in range(20):
            TARGETS[name].feed(json_mutated(seed, chance) or seed[: chance.randrange(len(seed) + 1)])


@pytest.mark.parametrize("path", FOUND, ids=lambda path: "/".join(path.split(os.sep)[-2:]))
def test_what_broke_once_does_no_longer(path: str) -> None:
    """The folder is the target's name."""
    with open(path, "rb") as file:
        TARGETS[path.split(os.sep)[-2]].feed(file.read())
