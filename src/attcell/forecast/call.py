"""``attcell plan``: a few videos of a recipe are measured, and its whole list is counted from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from attcell._checks import whole_number
from attcell._owners import temporary_in
from attcell._paths import is_folder
from attcell._remote import is_remote
from attcell.config.recipe import Recipe
from attcell.forecast.arithmetic import Phase, total_seconds
from attcell.forecast.measure import Measured, measure, measured_recipe
from attcell.forecast.parts import Part, parts_of
from attcell.forecast.phases import Disk, phases_of
from attcell.forecast.starts import Starts
from attcell.forecast.videos import ListedVideos, Sample, draw_sample, listed_videos, tell_of_unread
from attcell.training.run_folder import with_absolute_paths

FEWEST = 3  # videos


@dataclass(frozen=True)
class Machine:
    """What was measured on.

    Attributes:
        cores: of the processor.
        gpu: its name; "" without.
        num_gpus: that the recipe's training uses; 0 without.
        memory: bytes.
    """

    cores: int
    gpu: str
    num_gpus: int
    memory: int


@dataclass(frozen=True)
class Plan:
    """What a recipe will take.

    Attributes:
        name: the recipe's.
        videos: that it names.
        sample: the videos that were measured.
        machine: on which.
        parts: of the work, each alone.
        phases: one for each command, in their order.
        machines: on how many the work may be shared, beside one.
    """

    name: str
    videos: ListedVideos
    sample: Sample
    machine: Machine
    parts: tuple[Part, ...]
    phases: tuple[Phase, ...]
    machines: int

    @property
    def bytes(self) -> float:
        """That all phases leave on the disk."""
        return sum(phase.bytes for phase in self.phases)

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain types, times in seconds."""
        num = {name: len(getattr(self.videos, name)) for name in ("train", "val", "test")}
        return {
            "recipe": self.name,
            "videos": {"all": self.videos.num, "here": len(self.videos.here), **num},
            "measured": {
                "videos": [str(one.path) for one in self.sample.records],
                "mean_frames": self.sample.mean_frames,
                "lengths_of": self.sample.num_looked_at,
                "unread": list(self.sample.unread),
            },
            "machine": asdict(self.machine),
            "parts": [asdict(part) for part in self.parts],
            "phases": [_phase_dict(phase, self.machines) for phase in self.phases],
            "bytes": self.bytes,
            "machines": {str(of): _total_dict(self.phases, of) for of in sorted({1, self.machines})},
        }


def _phase_dict(phase: Phase, machines: int) -> dict[str, Any]:
    terms = [
        {
            "count": term.count,
            "unit": term.unit,
            "seconds_each": term.pace.seconds,
            "spread_each": _finite(term.pace.spread),
            "num_measured": term.pace.num,
            "bytes_each": term.bytes,
            "divides": term.divides,
        }
        for term in phase.terms
    ]
    return {
        "name": phase.name,
        "seconds": phase.seconds(),
        "spread": _finite(phase.spread()),
        "seconds_on_machines": phase.seconds(machines),
        "bytes": phase.bytes,
        "terms": terms,
        "notes": list(phase.notes),
    }


def _total_dict(phases: tuple[Phase, ...], machines: int) -> dict[str, float | None]:
    seconds, spread = total_seconds(phases, machines)
    return {"seconds": seconds, "spread": _finite(spread)}


def _finite(number: float) -> float | None:
    return number if number < float("inf") else None


def make_plan(
    recipe: Recipe,
    *,
    videos: int | None = None,
    machines: int | None = None,
    starts: Starts | None = None,
) -> Plan:
    """Measure some of a recipe's videos on this machine, and count what all of them take.

    Args:
        recipe: the whole run.
        videos: how many are measured; by default 16, or eight for each process that decodes.
        machines: on how many machines like this one the work may be shared; by default ``train.num_nodes``.
        starts: what each command's start takes; by default nothing.

    Raises:
        CallError, DataError: sources that are not there or not right, none of whose videos is here, or whose
            videos cannot be read.
    """
    usual = max(16, 8 * recipe.data.workers)  # while all processes are busy most of them are done
    num = usual if videos is None else whole_number(videos, "videos", least=FEWEST)
    machines = recipe.train.num_nodes if machines is None else machines
    machines = whole_number(machines, "machines", least=1)
    recipe = with_absolute_paths(recipe)
    listed = listed_videos(recipe)
    sample = draw_sample(recipe, listed, num)
    tell_of_unread(sample)
    with work_folder(recipe) as work:
        measured = measure(recipe, listed, sample, work)
        parts = parts_of(measured_recipe(recipe, work), measured, work)
    machine, rates = _machine(recipe, measured), {part.name: part.rate for part in parts}
    disk = Disk(machine.memory, rates["disk, reading"] * 1e6)
    return Plan(
        recipe.name,
        listed,
        measured.sample,
        machine,
        parts,
        phases_of(recipe, listed, measured, disk, starts or Starts()),
        machines,
    )


@contextmanager
def work_folder(recipe: Recipe) -> Iterator[Path]:
    """A folder where the recipe's features or flow will lie, or runs, removed afterwards."""
    named = [folder for folder in (recipe.cache.folder, recipe.flow.store) if folder is not None]
    wanted = next((folder for folder in named if not is_remote(folder)), Path("runs").absolute())
    there = next(folder for folder in (wanted.parent, *wanted.parents) if is_folder(folder))
    place = there if os.access(there, os.W_OK) else Path.cwd()
    folder = temporary_in(place, "plan")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _machine(recipe: Recipe, measured: Measured) -> Machine:
    on_gpu = measured.device.type == "cuda"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        os.cpu_count() or 1,
        torch.cuda.get_device_name(measured.device) if on_gpu else "",
        recipe.train.devices if on_gpu else 0,
        memory,
    )
