"""One target under atheris: `python -m fuzz.worker TARGET CRASHES [options of libFuzzer] [corpus folders]`.

CRASHES is the folder for inputs that break the target. The process ends with the target.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Callable

import atheris

from fuzz.mutations import json_mutated

with atheris.instrument_imports(include=["bulkup", "email._parseaddr", "email.utils", "urllib.parse"]):
    from fuzz.targets import TARGETS


def _mutated(data: bytes, largest: int, seed: int) -> bytes:
    chance = random.Random(seed)
    changed = json_mutated(data, chance) if chance.random() < 0.6 else None
    if changed is None or len(changed) > largest:
        changed = bytes(atheris.Mutate(data, largest))
    return changed


def _keeping(feed: Callable[[bytes], None], folder: str) -> Callable[[bytes], None]:
    """Return a function that runs a target and saves inputs that break it, which libFuzzer does not always do."""

    def keeping(data: bytes) -> None:
        try:
            feed(data)
        except BaseException:
            with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), "wb") as file:
                file.write(data)
            raise

    return keeping


def main() -> None:
    """Fuzz until libFuzzer stops or a target crashes."""
    name, crashes, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], _keeping(TARGETS[name].feed, crashes), custom_mutator=_mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
