"""Shared memory that is missing or full: what processes hand over goes another way, or one does all."""

from __future__ import annotations

import multiprocessing

import pytest
import torch

from attcell import _shared_memory
from attcell._parallel import process_pool
from attcell._shared_memory import data_loader, workers_for
from attcell.errors import CallError


@pytest.mark.parametrize("missing", ["locks", "memory"])
def test_without_shared_memory_one_process_does_the_work(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    if missing == "locks":
        monkeypatch.setattr(multiprocessing, "Lock", refuse)
    else:
        monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    _shared_memory.why_nothing_is_shared.cache_clear()
    try:
        assert workers_for(0) == 0
        assert capsys.readouterr().err == ""
        assert workers_for(3) == 0
        said = "warning: processes cannot share memory here (Read-only file system), so one process does all"
        assert said in capsys.readouterr().err
        with (
            pytest.raises(CallError, match="mount /dev/shm, or leave --jobs out"),
            process_pool(2, threads=1),
        ):
            pass
    finally:
        monkeypatch.undo()
        _shared_memory.why_nothing_is_shared.cache_clear()
    assert workers_for(3) == 3


def test_tensors_go_another_way_where_shared_memory_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [torch.arange(12.0).reshape(3, 4)[:, ::2], torch.empty(0), torch.ones(2, 3, dtype=torch.uint8)]
    _shared_memory._tell_of_full_memory.cache_clear()
    for left, is_told in ((-1.0, True), (1e9, False)):
        monkeypatch.setattr(_shared_memory, "_shared_bytes_left", lambda left=left: left)
        found = list(data_loader(videos, batch_size=None, num_workers=1, collate_fn=lambda one: one))
        assert all(torch.equal(*pair) for pair in zip(videos, found, strict=True))
        assert ("memory that processes share is full" in capsys.readouterr().err) == is_told
    _shared_memory.why_nothing_is_shared.cache_clear()
    monkeypatch.setattr(_shared_memory, "_shared_bytes_left", lambda: -1.0)
    assert workers_for(2) == 0
    assert "(less than 1 MiB is free)" in capsys.readouterr().err
    _shared_memory.why_nothing_is_shared.cache_clear()
