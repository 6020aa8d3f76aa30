"""What is measured on trained networks, several at a time; kept with what it was measured on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell.data.digests import content_digest
from attcell.engine.side_by_side import process_pool
from attcell.errors import DataError
from attcell.files import write_json
from attcell.progress import track

VERSION = 1  # raise it when the same model would give other figures
Figures = dict[str, float]


@dataclass(frozen=True)
class Look:
    """Something to measure on a trained network.

    Attributes:
        measure: gives name → figure; of what a process can be handed.
        model: the model folder.
        settings: whatever else the figures depend on, in plain types.
    """

    measure: Callable[[], Figures]
    model: Path
    settings: Mapping[str, Any]

    @property
    def made_by(self) -> dict[str, Any]:
        """What a kept result must have been measured on."""
        model = content_digest(self.model / "model.safetensors")
        return {"version": VERSION, "model": model, **self.settings}


def look_side_by_side(looks: Mapping[str, Look], folder: Path, processes: int) -> Figures:
    """The figures of all looks; each one's are kept in ``folder``, and taken from there while they hold."""
    found = {name: _kept(folder / f"{name}.json", look) for name, look in looks.items()}
    left = [name for name, figures in found.items() if figures is None]
    measured = _measure({name: looks[name] for name in left}, min(processes, len(left)))
    for name, figures in track(measured, len(left), "looking at trained networks"):
        found[name] = figures
        folder.mkdir(parents=True, exist_ok=True)
        content = {"made_by": looks[name].made_by, "figures": figures}
        write_json(str(folder / f"{name}.json"), content)
    return {name: value for figures in found.values() for name, value in (figures or {}).items()}


def _measure(looks: Mapping[str, Look], processes: int) -> Iterator[tuple[str, Figures]]:
    """Name and figures of each look, as they come."""
    if processes <= 1:  # starting another process would take longer than many a look
        for name, look in looks.items():
            yield name, look.measure()
        return
    with process_pool(processes, threads=1) as pool:
        names = {pool.submit(look.measure): name for name, look in looks.items()}
        for future in as_completed(names):
            yield names[future], future.result()


def _kept(file: Path, look: Look) -> Figures | None:
    """What was measured before, if on the same."""
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["made_by"] != look.made_by:
            return None
        return {str(name): float(value) for name, value in content["figures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} is damaged ({error}); delete it and run again") from error
