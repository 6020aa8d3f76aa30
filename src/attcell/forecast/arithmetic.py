"""From what a few videos took to what the whole list takes: sums and products, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from attcell.forecast.pace import Pace


@dataclass(frozen=True)
class Term:
    """So many of one kind, and what one takes.

    Attributes:
        count: how many.
        unit: what they are, such as ``test videos``.
        pace: seconds of one, on this machine.
        bytes: that one leaves on the disk.
        divides: whether n machines share them.
    """

    count: int
    unit: str
    pace: Pace
    bytes: float = 0.0
    divides: bool = True

    def seconds(self, machines: int = 1) -> float:
        """Of all, on so many machines like this one."""
        return self.count * self.pace.seconds / (machines if self.divides else 1)

    def spread(self, machines: int = 1) -> float:
        """Half the width of the interval of :meth:`seconds`."""
        return self.count * self.pace.spread / (machines if self.divides else 1) if self.count else 0.0


@dataclass(frozen=True)
class Phase:
    """What one command does.

    Attributes:
        name: ``extract flow``, ``features``, ``train`` or ``test``.
        terms: what it is made of, one after another.
        notes: what the reader should know.
    """

    name: str
    terms: tuple[Term, ...]
    notes: tuple[str, ...] = ()

    def seconds(self, machines: int = 1) -> float:
        """Of all terms, on so many machines."""
        return sum(term.seconds(machines) for term in self.terms)

    def spread(self, machines: int = 1) -> float:
        """Half the width of the interval, the terms being measured one without the other."""
        return math.sqrt(sum(term.spread(machines) ** 2 for term in self.terms))

    @property
    def bytes(self) -> float:
        """That are left on the disk."""
        return sum(term.count * term.bytes for term in self.terms)


def total_seconds(phases: Sequence[Phase], machines: int = 1) -> tuple[float, float]:
    """All phases one after another, and half the width of the interval."""
    spread = math.sqrt(sum(phase.spread(machines) ** 2 for phase in phases))
    return sum(phase.seconds(machines) for phase in phases), spread


def iteration_pace(part: Pace, part_size: int, batch_size: int, devices: int) -> Pace:
    """What an iteration takes on devices that share its batch, from what some videos take on one."""
    return part.times(batch_size / devices / part_size)


def with_reading(pace: Pace, read_bytes: float, kept_bytes: float, memory: float, rate: float | None) -> Pace:
    """The pace of what reads so many bytes of kept features, which was measured while they were in memory.

    Args:
        pace: as measured.
        read_bytes: that one reads.
        kept_bytes: of all that is kept; what fits into the memory is read from the disk once, and stays.
        memory: bytes that the machine has.
        rate: bytes a second that the disk gives.
    """
    if rate is None or kept_bytes <= memory:
        return pace
    return Pace(pace.seconds + read_bytes / rate, pace.spread, pace.num)
