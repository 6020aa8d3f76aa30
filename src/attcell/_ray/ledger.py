"""What is known of the blocks of videos that are being worked on, in an actor beside the driver.

A worker or a node may end in the middle of a block, which Ray then gives to another. What was done of it is
kept here until the driver has it, and is not done again. It is also told here whose fault it is: a video that
was in flight when its worker ended is tried once more, with nothing beside it; if its worker ends again, it
is left out. Where the whole node has ended, no video did that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_MOST_BYTES = 1 << 20  # of an answer that is kept; larger ones are made again
_MOST_LOADS = 3  # times that each worker may end while it begins, and nobody gets further
_FATAL = 2  # deaths


class Begun(NamedTuple):
    """What is known of a block that is begun, by the places of its videos.

    Attributes:
        answers: what came of videos before.
        alone: each is to be done with nothing beside it.
        left_out: each has ended its worker twice.
    """

    answers: dict[int, bytes]
    alone: frozenset[int]
    left_out: frozenset[int]


@dataclass
class _Block:
    places: range
    node: str = ""
    at_once: int = 1
    is_done: bool = False
    done: set[int] = field(default_factory=set)
    answers: dict[int, bytes] = field(default_factory=dict)
    deaths: Counter[int] = field(default_factory=Counter)

    def count_death(self) -> None:
        """The worker has ended: of what was not done, some was in flight."""
        left = [place for place in self.places if place not in self.done and self.deaths[place] < _FATAL]
        is_alone = bool(left) and self.deaths[left[0]] > 0
        self.deaths.update(left[: 1 if is_alone else self.at_once])


class Ledger:
    """The actor.

    Args:
        function: what is done with the videos, as an object of Ray in a list, which hands over the reference.
        slots: how many workers there are at a time.
    """

    def __init__(self, function: list[Any], slots: int) -> None:
        self._function, self._slots = function, slots
        self._loading = 0
        self._blocks: dict[int, _Block] = {}

    def function(self) -> list[Any]:
        """What is done; none where workers end again and again while they take it."""
        self._loading += 1
        return self._function if self._loading <= _MOST_LOADS * (1 + self._slots) else []

    def begins(self, first: int, count: int, node: str, at_once: int) -> Begun:
        """A worker on this node begins a block, and has up to ``at_once`` videos in flight."""
        self._loading = 0
        block = self._blocks.setdefault(first, _Block(range(first, first + count)))
        if block.node and not block.is_done and _lives(block.node):
            block.count_death()
        block.node, block.at_once, block.is_done = node, at_once, False
        deaths = {place: number for place, number in block.deaths.items() if place not in block.answers}
        return Begun(
            dict(block.answers),
            frozenset(place for place, number in deaths.items() if number < _FATAL),
            frozenset(place for place, number in deaths.items() if number >= _FATAL),
        )

    def answered(self, first: int, place: int, answer: bytes) -> None:
        """This came of a video."""
        block = self._blocks.get(first)
        if block is None:
            return
        block.done.add(place)
        if len(answer) <= _MOST_BYTES:
            block.answers[place] = answer

    def ends(self, first: int) -> None:
        """All of a block is done."""
        if first in self._blocks:
            self._blocks[first].is_done = True

    def forget(self, first: int) -> None:
        """The driver has all of a block."""
        self._blocks.pop(first, None)


def _lives(node: str) -> bool:
    import ray

    return any(of["NodeID"] == node and of["Alive"] for of in ray.nodes())
