"""A bounded number of samples, whatever the length of a run: a full ring forgets every second sample.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.run_record import RunSample


@dataclass(frozen=True, slots=True)
class RingOptions:
    """The most samples that are kept, and the seconds from one to the next at the begin of a run."""

    most: int = 120
    first_interval: float = 0.25


DEFAULT_OPTIONS = RingOptions()


class SampleRing:
    """Samples at equal distances. `interval` is the distance in seconds; it doubles whenever the ring is full."""

    def __init__(self, options: RingOptions = DEFAULT_OPTIONS) -> None:
        self.interval = options.first_interval
        self._most = options.most
        self._samples: list[RunSample] = []

    def add(self, sample: RunSample) -> None:
        """Add the next sample. If the ring is full, every second one is forgotten; the first one is kept."""
        self._samples.append(sample)
        if len(self._samples) >= self._most:
            del self._samples[1::2]
            self.interval *= 2

    def with_last(self, last: RunSample) -> Sequence[RunSample]:
        """Return the samples, with a last one that the ring does not keep."""
        before = [sample for sample in self._samples if sample.at < last.at]
        return (*before, last)
