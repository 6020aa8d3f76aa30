"""What one video does to its decoder costs that video alone."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell import _walls
from attcell._log import logger
from attcell._parallel import Line
from attcell._walls import alive, limits, own_parts, the_videos_own
from attcell._workers import Event, in_turn, one_by_one, results_in_turn, walled
from attcell.errors import CallError, DataError, VideoError
from tests.bad_decoders import DOES

Number = int | str


def _parts(item: Number) -> Iterator[object]:
    """A number gives itself and its negative; a word does what it says, after a first part."""
    yield item
    if isinstance(item, str):
        with the_videos_own(Path(item)):
            DOES[item]()
    yield -int(item)


def _children() -> set[int]:
    """This process's own that have not ended."""
    return {
        int(of)
        for task in Path("/proc/self/task").iterdir()
        for of in (task / "children").read_text().split()
    }


def _run(items: list[Number], workers: int = 2, **options: int) -> list[object]:
    """What became of each: its parts, or the message."""
    parts: dict[int, list[object]] = {}

    def begin(place: int):
        parts[place] = []
        return parts[place].append

    events = walled(_parts, items, lambda item: Path(str(item)), workers=workers, **options)
    found = in_turn(events, begin, lambda place: parts[place])
    return [str(of) if isinstance(of, VideoError) else of for _, of in found]


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "1")
    monkeypatch.setenv("ATTCELL_VIDEO_GIB", "2")


class TestWorkers:
    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("ahead", [None, 1, 4])
    def test_results_come_in_order(self, workers: int, ahead: int | None) -> None:
        assert _run(list(range(20)), workers, ahead=ahead) == [[of, -of] for of in range(20)]

    def test_nothing_of_nothing(self) -> None:
        assert _run([]) == []

    @pytest.mark.usefixtures("tight")
    def test_what_ends_its_worker_is_named_and_the_rest_is_done(self) -> None:
        items: list[Number] = [1, "crashes", 2, 3, "leaves", "hangs", 4, "eats", "raises", 5]
        found = _run(items)
        assert [of for of in found if not isinstance(of, str)] == [[of, -of] for of in range(1, 6)]
        crashes, leaves, hangs, eats, raises = (of for of in found if isinstance(of, str))
        assert crashes == "crashes: decoding it crashed its process (SIGSEGV), and again alone; leave it out"
        assert leaves == (
            "leaves: decoding it ended its process, with status 3, and again alone; leave it out"
        )
        assert hangs == (
            "hangs: decoding it gave no sign of life for 1 s ($ATTCELL_VIDEO_SECONDS), and again alone; "
            "leave it out"
        )
        assert eats == (
            "eats: it wants more memory than the 2 GiB that one may take ($ATTCELL_VIDEO_GIB); leave it out"
        )
        assert raises.startswith("raises: a library fails on it (RuntimeError: no such side data, in tests/")

    def test_what_ended_a_worker_once_is_done_alone(self, tmp_path: Path) -> None:
        tried = tmp_path / "tried"
        running = tmp_path / "running"
        running.mkdir()

        def once(item: int) -> int:
            mine = running / str(item)
            mine.touch()
            if item == 3 and not tried.exists():
                tried.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            beside = len(list(running.iterdir())) - 1
            time.sleep(0.02)
            mine.unlink()
            return beside if item == 3 else item

        found = list(results_in_turn(once, range(8), lambda item: Path(str(item)), 2))
        assert found == [0, 1, 2, 0, 4, 5, 6, 7]  # nothing beside the third

    def test_a_part_that_came_before_the_end_is_void(self, tmp_path: Path) -> None:
        def parts(item: int) -> Iterator[int]:
            yield item
            if item == 1 and not (tmp_path / "tried").exists():
                (tmp_path / "tried").touch()
                time.sleep(0.1)  # so that the first part has gone
                os._exit(1)
            yield 10 * item

        events = list(walled(parts, range(3), lambda item: Path(str(item)), workers=1))
        of_it = [event[1:3] for event in events if event.place == 1]
        whole = [("begins", None), ("part", 1), ("part", 10), ("ends", None)]
        assert of_it == [("begins", None), ("part", 1), *whole]

    def test_one_after_another_begins_again(self, tmp_path: Path) -> None:
        def parts(item: int) -> Iterator[int]:
            yield from range(item)
            if item == 3 and not (tmp_path / "tried").exists():
                (tmp_path / "tried").touch()
                time.sleep(0.1)
                os._exit(1)
            with the_videos_own(Path("five")):
                assert item != 5
            yield item

        found = one_by_one(parts, range(1, 7), lambda item: Path(str(item)), lambda _, of: list(of))
        assert [str(of).partition(" (")[0] if item == 5 else of for item, of in found] == [
            *(list(range(item + 1)) for item in range(1, 5)), "five: a library fails on it", list(range(7))
        ]  # fmt: skip

    def test_whoever_is_slow_but_alive_is_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_walls, "_SIGN_EVERY", 0.1)
        monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "1")

        def slow(item: int) -> int:
            for _ in range(15):
                time.sleep(0.1)
                alive()
            return item

        assert list(results_in_turn(slow, [1, 2], lambda item: Path(str(item)), 2)) == [1, 2]

    @pytest.mark.usefixtures("tight")
    def test_whoever_waits_for_its_parent_is_not_silent(self) -> None:
        num_begun = 0
        for event in walled(_parts, range(4), lambda item: Path(str(item)), workers=2):
            num_begun += event.kind == "begins"
            time.sleep(1.2 if event.part == 0 else 0.0)
        assert num_begun == 4

    def test_messages_of_workers_are_the_parents(self, caplog: pytest.LogCaptureFixture) -> None:
        def tells(item: int) -> int:
            logger.info("number %d", item)
            return item

        handler = caplog.handler
        logger.addHandler(handler)
        try:
            list(results_in_turn(tells, range(3), lambda item: Path(str(item)), 1))
        finally:
            logger.removeHandler(handler)
        assert [record.getMessage() for record in caplog.records] == ["number 0", "number 1", "number 2"]

    def test_errors_that_are_no_videos_pass_through(self) -> None:
        def refuses(item: int) -> int:
            raise DataError(f"{item} is wrong")

        def has_a_fault(item: int) -> int:
            return {}[item]  # type: ignore[return-value]

        with pytest.raises(DataError, match="is wrong"):
            list(results_in_turn(refuses, [1, 2], lambda item: Path(str(item)), 1))
        with pytest.raises(KeyError) as found:
            list(results_in_turn(has_a_fault, [1, 2], lambda item: Path(str(item)), 1))
        assert "in has_a_fault" in "".join(found.value.__notes__)

    def test_no_process_stays(self) -> None:
        before = _children()
        events = walled(_parts, list(range(50)), lambda item: Path(str(item)), workers=2)
        next(events)
        assert len(_children() - before) == 2
        events.close()
        assert _children() <= before  # other tests may have left some

    def test_one_is_done_here(self) -> None:
        (event,) = [of for of in walled(lambda _: [os.getpid()], ["a"], Path, workers=2) if of.part]
        assert event == Event(0, "part", os.getpid())
        with pytest.raises(ZeroDivisionError):
            list(results_in_turn(lambda item: 1 // item, [0], lambda item: Path(str(item)), 1))
        assert _run(["raises"])[0] != [0]


def test_arrays_and_tensors_arrive_as_they_are() -> None:
    given = {
        "tensor": torch.arange(6.0).reshape(2, 3).half(),
        "turned": torch.arange(6).reshape(2, 3).T,
        "empty": torch.empty(0, 3),
        "array": np.arange(5)[::2],
    }

    def gives(item: int) -> dict[str, object]:
        return given

    for found in results_in_turn(gives, [1, 2], lambda item: Path(str(item)), 1):
        assert isinstance(found, dict)
        for name, of in given.items():
            assert type(found[name]) is type(of)
            assert found[name].dtype == of.dtype
            np.testing.assert_array_equal(found[name], of)
        found["tensor"][0] = 7  # it may be written to


class TestReasons:
    def said(self, error: BaseException) -> str:
        with pytest.raises(VideoError) as found, the_videos_own(Path("a.mp4")):
            raise error
        assert found.value.__cause__ is error
        return str(found.value)

    def test_a_librarys_error_is_the_videos(self) -> None:
        said = self.said(ValueError("a\nb"))
        assert said.startswith("a.mp4: a library fails on it (ValueError: a b, in tests/test_walls.py, line ")
        assert said.endswith("); leave it out, or convert it with FFmpeg")

    def test_a_fault_of_our_own_is_called_so(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "attcell")
        logger.addHandler(caplog.handler)
        with pytest.raises(
            VideoError, match=r"attcell itself fails on it \(TypeError: .*, in attcell/_walls"
        ):
            list(own_parts(Path("a.mp4"), 3))  # type: ignore[arg-type]
        logger.removeHandler(caplog.handler)
        assert "Traceback" in caplog.text

    def test_of_the_system(self) -> None:
        assert self.said(OSError(5, "Input/output error")) == "a.mp4: cannot be read (Input/output error)"
        assert self.said(MemoryError()) == "a.mp4: it wants more memory than there is; leave it out"
        assert _run([1, 2, 3]) == [[1, -1], [2, -2], [3, -3]]  # workers do not take that for their own

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), CallError("no"), VideoError("own")])
    def test_these_pass_through(self, error: BaseException) -> None:
        with pytest.raises(type(error)) as found, the_videos_own(Path("a.mp4")):
            raise error
        assert found.value is error


class TestLimits:
    def test_they_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ATTCELL_VIDEO_SECONDS", "0")
        monkeypatch.setenv("ATTCELL_VIDEO_GIB", "0.5")
        assert limits() == (None, 0.5)

    @pytest.mark.parametrize("text", ["-1", "much", "inf", "nan"])
    def test_what_is_no_limit_is_refused(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("ATTCELL_VIDEO_GIB", text)
        with pytest.raises(CallError, match=r"\$ATTCELL_VIDEO_GIB is '.*'; give a number above 0, or 0"):
            limits()


def test_a_line_ends_with_its_other_end() -> None:
    from multiprocessing import Pipe

    ours, theirs = Pipe()
    theirs.close()
    with pytest.raises(EOFError):
        Line(ours).receive()
