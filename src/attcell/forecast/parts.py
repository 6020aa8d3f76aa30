"""What the parts of the work take, each alone: they explain the whole, and do not add up to it, since several
go on side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

import torch
from torch import Tensor

from attcell.config.recipe import Recipe
from attcell.forecast.measure import Measured, first_inputs
from attcell.inference.run import part_maps
from attcell.models.build import input_spec
from attcell.nn import Network, Output, Pooled, SVMNetwork

MOST_PICTURES = 8  # that a backbone is shown
DISK_BYTES = 64 << 20  # that are written to the disk, and read


@dataclass(frozen=True)
class Part:
    """What one part does.

    Attributes:
        name: what it does, such as ``backbone of the frame stream``.
        rate: how many a second.
        unit: of what.
    """

    name: str
    rate: float
    unit: str


def parts_of(recipe: Recipe, measured: Measured, work: Path) -> tuple[Part, ...]:
    """Each part of the work, alone: decoding and reading on one thread, networks as they compute.

    Args:
        recipe: as it was measured.
        measured: what the whole took.
        work: a folder on the disk that is measured.
    """
    sample, spec = measured.sample, input_spec(recipe)
    found = []
    if sample.decoding:
        found.append(Part("decoding", sum(sample.frames) / sum(sample.decoding), "frames/s, one thread"))
    record = sample.records[0]
    for name in spec.streams:
        inputs = partial(first_inputs, record, recipe, [name])
        seconds, num = _best(inputs), inputs()[name].shape[1]
        found.append(Part(f"{name}: a video's input", num / seconds, "segments/s, one thread"))
    found += _of_networks(measured.network, first_inputs(record, recipe))
    written, read = disk_rates(work)
    return (*found, Part("disk, writing", written / 1e6, "MB/s"), Part("disk, reading", read / 1e6, "MB/s"))


def _of_networks(network: Network, views: Mapping[str, Tensor]) -> list[Part]:
    """Each backbone forward, and what comes behind them forward and backward."""
    network.eval()
    inputs = {name: of[:1, :MOST_PICTURES] for name, of in views.items()}
    found = []
    for name, of in inputs.items():
        seconds = _best(partial(part_maps, network, {name: of}))
        found.append(Part(f"{name}: backbone forward", of.shape[1] / seconds, "pictures/s"))
    body = network.body if isinstance(network, SVMNetwork) else network
    if isinstance(body, Pooled):
        return found
    maps = {name: of.clone() for name, of in part_maps(body, inputs).items()}  # that may be learnt from

    def learn() -> None:
        cast(Output, body.attend(maps)).logits.sum().backward()

    segments = next(iter(maps.values())).shape[1]
    found.append(Part("head forward and backward", segments / _best(learn), "segments/s"))
    body.zero_grad()
    return found


def _best(work: Callable[[], object], times: int = 2) -> float:
    """Seconds of the quickest call; the first one warms up."""
    work()
    spent = []
    for _ in range(times):
        started = perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent.append(perf_counter() - started)
    return max(1e-9, min(spent))


def disk_rates(folder: Path) -> tuple[float, float]:
    """Bytes a second that the disk takes and gives, past what the system keeps in memory."""
    file, content = folder / "rate", os.urandom(1 << 20)
    started = perf_counter()
    with file.open("wb") as opened:
        for _ in range(DISK_BYTES >> 20):
            opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
        written = DISK_BYTES / (perf_counter() - started)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = perf_counter()
    with file.open("rb") as opened:
        while opened.read(1 << 20):
            pass
    read = DISK_BYTES / (perf_counter() - started)
    file.unlink()
    return written, read
