"""Work beside the main thread's: all of it is done, and nothing that goes wrong is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from attcell._parallel import Background


def full() -> None:
    """What writing to a full disk does."""
    raise OSError(28, "No space left on device", "features/a.safetensors")


def give(work: Callable[[], None], times: int, end: type[BaseException] | None = None) -> int:
    """Give the same work again and again, and perhaps fail; how often it was given."""
    with Background() as beside:
        for _ in range(times):
            beside.do(work)
        if end is not None:
            raise end
    return times


def test_all_is_done_when_it_ends():
    done: list[int] = []
    with Background() as beside:
        for number in range(50):
            beside.do(partial(done.append, number))
    assert sorted(done) == list(range(50))


@pytest.mark.parametrize("times", [1, 100])
def test_what_goes_wrong_is_raised(times):
    with pytest.raises(OSError, match="No space left on device"):
        give(full, times)


def test_it_is_raised_before_much_more_is_given():
    given: list[int] = []

    def fails_first() -> None:
        given.append(1)
        full()

    with pytest.raises(OSError, match="No space left on device"):
        give(fails_first, 1000)
    assert len(given) < 50


def test_an_error_of_the_one_who_gives_work_is_not_hidden():
    with pytest.raises(KeyboardInterrupt):
        give(lambda: None, 1, KeyboardInterrupt)
