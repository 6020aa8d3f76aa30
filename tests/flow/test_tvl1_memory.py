"""Freed memory stays with the process."""

from __future__ import annotations

import platform
import resource

import pytest
import torch

from attcell.flow._tvl1 import keep_freed_memory

ROUNDS, BLOCKS, NUMBERS = 20, 8, 2**18  # a megabyte each
PAGE = resource.getpagesize()


def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ROUNDS):
        blocks = [torch.ones(NUMBERS) for _ in range(BLOCKS)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap is known")
def test_memory_that_is_freed_and_taken_again_costs_no_page_faults() -> None:
    keep_freed_memory()
    faults()
    pages_of_a_round = BLOCKS * 4 * NUMBERS // PAGE
    assert faults() < pages_of_a_round, "of the pages of 20 rounds not even one round's came anew"
