"""Processes side by side start others as their parent does."""

from __future__ import annotations

import multiprocessing
import os

import pytest
import torch

from attcell._parallel import process_pool
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
