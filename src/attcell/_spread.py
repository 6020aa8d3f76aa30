"""Where the work on a list of videos is done: in this process and its workers, or where ``at_site`` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch

from attcell._log import logger, track

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Work(Generic[Item, Result]):
    """What is done with a list of videos.

    Attributes:
        function: takes some of the items that follow each other, and gives the result of each in turn; it,
            the items and the results can be pickled where the work is not done here. What goes wrong with one
            video is its result; what it raises ends all.
        items: videos.
        path_of: an item's file.
        computes: a network runs on the videos, on a GPU where there is one; else they are decoded alone.
        into: folders that the function writes to. Who has other ones elsewhere works on no video.
    """

    function: Callable[[Sequence[Item]], Iterable[Result]]
    items: Sequence[Item]
    path_of: Callable[[Item], Path]
    computes: bool = False
    into: Sequence[Path] = ()


class Site(Protocol):
    """Where videos are worked on, such as a cluster."""

    def results(self, work: Work[Item, Result]) -> Iterator[Result]:
        """One for each item, in their order. That of a video which ends its process again and again is a
        VideoError.
        """


_SITE: ContextVar[Site | None] = ContextVar("site", default=None)


@contextmanager
def at_site(site: Site | None) -> Iterator[None]:
    """Within this, :func:`spread` works there; None is here."""
    token = _SITE.set(site)
    try:
        yield
    finally:
        _SITE.reset(token)


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
        function, items, path_of, computes, into: of the :class:`Work`.
        bar: what is done, where the function says by itself how far it is: elsewhere nobody would see that,
            and the videos are counted here.
    """
    site = _SITE.get()
    if site is None:
        if computes and len(items) > 1:
            _tell_of_idle_gpus(torch.cuda.device_count())
        return iter(function(items))
    results = site.results(Work(function, items, path_of, computes, into))
    return track(results, len(items), bar) if bar else results


@lru_cache  # once
def _tell_of_idle_gpus(count: int) -> None:
    if count > 1:
        logger.info(
            f"this machine has {count} GPUs, and a list of videos goes through one; all are used "
            "with --on ray (in Python attcell.on_ray)"
        )


def in_places(found: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Results that come with the numbers of their items, in the order of these."""
    waiting: dict[int, Result] = {}
    following = 0
    for place, result in found:
        waiting[place] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
