"""Processes side by side start others as their parent does; threads give results in order."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch

from attcell._parallel import as_they_end, gpu_names, in_order, in_own_process, process_pool
from attcell.errors import AttcellError


def _seen() -> tuple[str, int]:
    return multiprocessing.get_start_method(), torch.get_num_threads()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_loads_its_data_as_its_parent_does(threads: int) -> None:
    with process_pool(1, threads) as pool:
        assert pool.submit(_seen).result() == (multiprocessing.get_start_method(), threads)


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    said = "ended from outside, perhaps for lack of memory; run again"
    with pytest.raises(AttcellError, match=said), process_pool(1, threads=1) as pool:
        pool.submit(os._exit, 1).result()


def test_an_interruption_waits_for_no_process() -> None:
    def interrupted() -> None:
        with process_pool(1, threads=1) as pool:
            assert pool.submit(int).result() == 0
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            list(as_they_end(pool, time.sleep, (60.0, 60.0), at_once=2))

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 50


def _visible(rest: float = 0.0) -> str | None:
    time.sleep(rest)  # so that another process takes the next
    return os.environ.get("CUDA_VISIBLE_DEVICES")


class TestGPUs:
    @pytest.fixture(autouse=True)
    def gpus(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        """Four of them, as far as PyTorch says."""
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
        return monkeypatch

    def test_they_are_counted(self) -> None:
        assert gpu_names() == ["0", "1", "2", "3"]

    def test_those_that_a_cluster_gives_keep_their_names(self, gpus: pytest.MonkeyPatch) -> None:
        gpus.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a, GPU-7f")
        gpus.setattr(torch.cuda, "device_count", lambda: 2)
        assert gpu_names() == ["GPU-5a", "GPU-7f"]

    @pytest.mark.parametrize("count", [0, 1])
    def test_one_or_none_is_everybodys(self, gpus: pytest.MonkeyPatch, count: int) -> None:
        gpus.setattr(torch.cuda, "device_count", lambda: count)
        with process_pool(1, threads=1) as pool:
            assert pool.submit(_visible).result() is None

    def test_each_process_sees_its_own(self, gpus: pytest.MonkeyPatch) -> None:
        gpus.setattr(torch.cuda, "device_count", lambda: 2)
        with process_pool(2, threads=1) as pool:
            asked = [pool.submit(_visible, 1.0) for _ in range(2)]
            assert {one.result() for one in asked} == {"0", "1"}
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


class TestInOrder:
    def test_results_come_in_the_order_of_the_items(self) -> None:
        def late(number: int) -> int:
            time.sleep(0.02 * (number % 3 == 0))
            return number

        assert list(in_order(late, range(20), 4)) == list(range(20))

    def test_items_are_taken_as_there_is_room(self) -> None:
        taken: list[int] = []

        def items() -> Iterator[int]:
            for number in range(100):
                taken.append(number)
                yield number

        results = in_order(lambda number: number, items(), 3)
        assert next(results) == 0
        assert len(taken) < 10
        results.close()
        assert len(taken) < 10

    def test_errors_of_items_and_of_the_function_pass_through(self) -> None:
        def items() -> Iterator[int]:
            yield from range(3)
            raise OSError("no more")

        with pytest.raises(OSError, match="no more"):
            list(in_order(lambda number: number, items(), 2))
        with pytest.raises(ZeroDivisionError):
            list(in_order(lambda number: 1 // (number - 5), range(20), 2))


def test_what_a_library_may_crash_is_done_in_a_process_of_its_own():
    here = os.getpid()
    found, number = in_own_process(lambda: (np.arange(3), os.getpid()))
    np.testing.assert_array_equal(found, [0, 1, 2])
    assert (number == here) == (sys.platform != "linux")
    with pytest.raises(RuntimeError, match=r"^it is odd$"):
        in_own_process(partial(_refuse, "it is odd"))


@pytest.mark.skipif(sys.platform != "linux", reason="no fork there")
def test_a_crash_is_said():
    with pytest.raises(RuntimeError, match=r"^reading it crashes the process \(SIGSEGV\)$"):
        in_own_process(partial(ctypes.string_at, 0))
    with pytest.raises(RuntimeError, match=r"^reading it crashes the process \(by its own exit\)$"):
        in_own_process(partial(os._exit, 3))


def _refuse(message: str) -> None:
    raise ValueError(message)
