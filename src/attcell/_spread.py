"""Where the work on a list of videos is done: in this process and its workers, or where ``placed`` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol, TypeVar

from attcell._log import track

Item = TypeVar("Item")
Result = TypeVar("Result")


class Place(Protocol):
    """Where videos are worked on, such as a cluster."""

    def spread(
        self,
        function: Callable[[Sequence[Item]], Iterable[Result]],
        items: Sequence[Item],
        path_of: Callable[[Item], Path],
        *,
        computes: bool,
        into: Sequence[Path],
    ) -> Iterator[Result]:
        """As :func:`spread`."""


_PLACE: ContextVar[Place | None] = ContextVar("place", default=None)


@contextmanager
def placed(place: Place | None) -> Iterator[None]:
    """Within this, :func:`spread` works there; None is here."""
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


def spread(
    function: Callable[[Sequence[Item]], Iterable[Result]],
    items: Sequence[Item],
    path_of: Callable[[Item], Path],
    *,
    computes: bool = False,
    bar: str = "",
    into: Sequence[Path] = (),
) -> Iterator[Result]:
    """What a function gives of the items, one result for each, in their order.

    Args:
        function: takes some of the items that follow each other, and gives the result of each in turn; it,
            the items and the results can be pickled where the work is not done here. What goes wrong with one
            video is its result; what it raises ends all. Elsewhere the result of a video that ends its
            process again and again is a VideoError.
        items: videos.
        path_of: an item's file.
        computes: a network runs on the videos, on a GPU where there is one; else they are decoded alone.
        bar: what is done, where the function says by itself how far it is: elsewhere nobody would see that,
            and the videos are counted here.
        into: folders that the function writes to. Who has other ones elsewhere works on no video.
    """
    place = _PLACE.get()
    if place is None:
        return iter(function(items))
    results = place.spread(function, items, path_of, computes=computes, into=into)
    return track(results, len(items), bar) if bar else results


def in_places(found: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Results that come with the numbers of their items, in the order of these."""
    waiting: dict[int, Result] = {}
    following = 0
    for place, result in found:
        waiting[place] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
