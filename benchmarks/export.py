"""Exported files beside PyTorch: sizes, times and differences of four networks on three backbones.

    uv run python -m benchmarks.export [--turns 3]

Weights are random, the clip is generated, pictures are 224×224, streams are frame and flow. A figure is the
least of the turns, which PyTorch and the files take one after another; each sees one video of T segments.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attcell._files import write_text
from attcell.choices import ExportPrecision
from attcell.config.recipe import check_recipe
from attcell.export.graph import Graph
from attcell.export.onnx_file import Session
from attcell.export.parity import clip_inputs
from attcell.inference.model import Model
from attcell.models.build import build_network
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
BACKBONES = ("squeezenet", "timm/mobilenetv3_large_100", "timm/resnet18")
KINDS: dict[str, dict[str, Any]] = {
    "stan": {"kind": "stan"},
    "san": {"kind": "san"},
    "late": {"kind": "stan", "fusion": "late"},
    "tan": {"kind": "tan"},
}
SEGMENTS = (5, 25)
UNEVEN = {"uniform_start": False}  # else attention is the same everywhere before it is trained
LABELS = tuple(f"class {number}" for number in range(10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    lines = [
        "# Exported files beside PyTorch",
        "",
        f"{machine()}; load {os.getloadavg()[0]:.1f} at the beginning. Streams frame and flow of 224×224, "
        f"random weights; ms a video, the least of {turns} turns; *differs*: the largest difference of all "
        "outputs at export.",
        "",
        "| network | backbone | file | MB | differs | T | PyTorch, ms | file, ms | file ÷ PyTorch |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            for backbone in BACKBONES:
                for line in rows(kind, backbone, Path(folder), turns):
                    lines.append(line)
                    print(line, flush=True)
    write_text(RESULTS / "export.md", "\n".join([*lines, ""]))


def rows(kind: str, backbone: str, folder: Path, turns: int) -> Iterator[str]:
    """One for each file and T."""
    model = random_model(kind, backbone, folder)
    graph = Graph(model.network)
    precisions: tuple[ExportPrecision, ...] = (
        ("float32", "float16", "int8") if kind == "stan" else ("float32",)
    )
    for precision in precisions:
        found = model.export(folder / "it.onnx", precision=precision)
        session = Session(folder / "it.onnx", "it")
        for segments in SEGMENTS:
            inputs = {name: of[:, :segments] for name, of in clip_inputs(model.recipe, None).items()}
            here, there = timed(turns, partial(forward, graph, inputs), partial(session.run, inputs))
            ratio = there / here
            yield (
                f"| {kind} | {backbone} | {precision} | {found.bytes / 1e6:.1f} "
                f"| {found.largest_difference:.1e} | {segments} | {here:.0f} | {there:.0f} | {ratio:.2f} |"
            )


@torch.inference_mode()
def forward(graph: Graph, inputs: dict[str, Tensor]) -> None:
    graph(*(inputs[name] for name in graph.inputs))


def timed(turns: int, *ways: Callable[[], object]) -> list[float]:
    """The least of each, in ms, after one turn that does not count."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(turns + 1):
        for way, of in zip(ways, taken, strict=True):
            begun = time.perf_counter()
            way()
            of.append(1e3 * (time.perf_counter() - begun))
    return [min(of[1:]) for of in taken]


def random_model(kind: str, backbone: str, folder: Path) -> Model:
    stream: dict[str, Any] = {"backbone": backbone, "weights": "none"}
    if kind != "tan":
        stream["conv6_channels"] = 256
    of_stan = {} if kind == "tan" else UNEVEN
    values = {
        "data": {"train": str(folder)},
        "flow": {"method": "fast", "fields": 5},
        "segments": {"train": 5, "test": max(SEGMENTS)},
        "train": {"iterations": 1},
        "model": {**KINDS[kind], **of_stan, "streams": {"frame": stream, "flow": stream}},
    }
    recipe = check_recipe(values, "benchmark")
    torch.manual_seed(0)
    return Model(build_network(recipe, len(LABELS), load_weights=False).eval(), LABELS, recipe)


if __name__ == "__main__":
    main()
