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
        rows: before which videos the rows ended in which answers went out. Ray takes those that it has
            already for the first ones of whoever does the block again, so they must end there again.
    """

    answers: dict[int, bytes]
    alone: frozenset[int]
    left_out: frozenset[int]
    rows: tuple[int, ...]


@dataclass
class _Block:
    places: range
    node: str = ""
    at_once: int = 1
    is_done: bool = False
    has_arrived: bool = False
    done: set[int] = field(default_factory=set)
    answers: dict[int, bytes] = field(default_factory=dict)
    deaths: Counter[int] = field(default_factory=Counter)
    rows: list[int] = field(default_factory=list)

    def count_death(self) -> None:
        """The worker has ended: of what was not done, some was in flight."""
        left = [place for place in self.places if place not in self.done and self.deaths[place] < _FATAL]
        is_alone = bool(left) and self.deaths[left[0]] > 0
        self.deaths.update(left[: 1 if is_alone else self.at_once])


@dataclass
class _Run:
    """One list of videos.

    Attributes:
        function: what is done with them.
        loads: how often that was taken since a block began.
        most_loads: how often it may be.
        blocks: by their first videos.
    """

    function: list[Any]
    most_loads: int
    loads: int = 0
    blocks: dict[int, _Block] = field(default_factory=dict)


class Ledger:
    """The actor, for all lists of videos of one driver."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def opens(self, run: str, function: list[Any], slots: int) -> None:
        """A list of videos is begun.

        Args:
            run: its name.
            function: what is done with them, as an object of Ray in a list, which hands over the reference.
            slots: how many workers there are at a time.
        """
        self._runs[run] = _Run(function, _MOST_LOADS * (1 + slots))

    def closes(self, run: str) -> None:
        """It is done, or ended."""
        self._runs.pop(run, None)

    def function(self, run: str) -> list[Any]:
        """What is done; none where workers end again and again while they take it."""
        of = self._runs[run]
        of.loads += 1
        return of.function if of.loads <= of.most_loads else []

    def begins(self, run: str, first: int, count: int, node: str, at_once: int) -> Begun:
        """A worker on this node begins a block, and has up to ``at_once`` videos in flight."""
        self._runs[run].loads = 0
        block = self._runs[run].blocks.setdefault(first, _Block(range(first, first + count)))
        if block.node and not block.is_done and _lives(block.node):
            block.count_death()
        block.node, block.at_once, block.is_done = node, at_once, False
        deaths = {place: number for place, number in block.deaths.items() if place not in block.answers}
        return Begun(
            dict(block.answers),
            frozenset(place for place, number in deaths.items() if number < _FATAL),
            frozenset(place for place, number in deaths.items() if number >= _FATAL),
            tuple(block.rows),
        )

    def answered(self, run: str, first: int, answers: dict[int, bytes]) -> None:
        """These came of some of its videos."""
        block = self._block(run, first)
        if block is not None:
            block.done.update(answers)
            kept = {place: answer for place, answer in answers.items() if len(answer) <= _MOST_BYTES}
            block.answers.update(kept)

    def sends(self, run: str, first: int, end: int) -> None:
        """A row goes out that ends before this video."""
        block = self._block(run, first)
        if block is not None:
            block.rows.append(end)

    def ends(self, run: str, first: int) -> None:
        """All of a block is done and sent."""
        block = self._block(run, first)
        if block is not None:
            block.is_done = True
            self._forget(run, first)

    def arrived(self, run: str, first: int) -> None:
        """The driver has all of a block, whose worker may not be at its end yet."""
        block = self._block(run, first)
        if block is not None:
            block.has_arrived = True
            self._forget(run, first)

    def _forget(self, run: str, first: int) -> None:
        block = self._runs[run].blocks[first]
        if block.is_done and block.has_arrived:
            del self._runs[run].blocks[first]

    def _block(self, run: str, first: int) -> _Block | None:
        return self._runs[run].blocks.get(first) if run in self._runs else None


def _lives(node: str) -> bool:
    import ray

    return any(of["NodeID"] == node and of["Alive"] for of in ray.nodes())
