"""What TAN costs beside its two CNNs: time and memory of its recurrent layers, gates and classifiers.

    uv run python -m benchmarks.tan_cost [--repeats 5]

Two GoogLeNets, frames and flow pictures of 224 × 224, GRUs of 1,024, 101 classes, a batch of one video; at
T = 5 and T = 25, at test and in a training step (forward and backward). The CNNs and the rest, which begins
at their feature maps, are timed by themselves in turns, and the whole as a check: on a busy machine a whole
may seem to take less than its parts. Memory is what the operating system saw at most (CPU), or PyTorch's peak
(GPU), above what the weights take; each in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from attcell._files import write_text
from attcell.inference.run import best_device
from attcell.nn import TAN, Branch, build_backbone
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
STEPS = (5, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    lines = [
        "TAN beside its two CNNs: GoogLeNet twice, 224 × 224, GRUs of 1,024, 101 classes, one video; "
        f"{_parameters()}. Median of {repeats} turns. {machine()}.",
        "",
        "| | T | two CNNs | rest of TAN | share of time | the whole | memory, CNNs | memory, TAN | more |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for training in (False, True):
        for steps in STEPS:
            lines.append(_line(training, steps, repeats))
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    suffix = "" if best_device().type == "cpu" else "_gpu"
    write_text(RESULTS / f"tan_cost{suffix}.md", text)
    print(text)


def _line(training: bool, steps: int, repeats: int) -> str:
    cnns, rest, whole = _times(training, steps, repeats)
    memory = [_in_its_own_process(training, steps, part) for part in ("cnns", "whole")]
    cells = [
        "training step" if training else "test",
        str(steps),
        *(f"{1000 * seconds:.0f} ms" for seconds in (cnns, rest)),
        f"{100 * rest / (cnns + rest):.1f} %",
        f"{1000 * whole:.0f} ms",
        *(f"{mebibytes:.0f} MiB" for mebibytes in memory),
        f"{100 * (memory[1] / memory[0] - 1):+.1f} %",
    ]
    return "| " + " | ".join(cells) + " |"


def _network() -> TAN:
    torch.manual_seed(0)
    branches = {name: Branch(build_backbone("googlenet"), 1024) for name in ("frame", "flow")}
    return TAN(branches["frame"], branches["flow"], 101).to(best_device())


def _parameters() -> str:
    network = _network()
    cnns = sum(p.numel() for name in ("frame", "flow") for p in network.stream(name).backbone.parameters())
    whole = sum(p.numel() for p in network.parameters())
    return f"{cnns / 1e6:.1f} million weights in the CNNs, {(whole - cnns) / 1e6:.1f} million in the rest"


def _parts(network: TAN, steps: int, training: bool) -> dict[str, Callable[[], object]]:
    """The CNNs, the rest and the whole network: at test, or with the gradients of a training step."""
    device = best_device()
    pictures = {name: torch.rand(1, steps, 3, 224, 224, device=device) for name in ("frame", "flow")}
    network.train(training)

    def backward(*values: Tensor) -> None:
        if training:
            torch.stack([value.mean() for value in values]).sum().backward()
            network.zero_grad()

    def cnns() -> None:
        backward(*network.feature_maps(pictures).values())

    size = (1, steps, 1024, 7, 7)  # what GoogLeNet's maps are; computing them here would raise the peak
    maps = {name: torch.rand(size, device=device, requires_grad=training) for name in pictures}

    def rest() -> None:
        out = network.attend(maps)
        backward(out.frame_logits, out.flow_logits)

    def whole() -> None:
        out = network(pictures)
        backward(out.frame_logits, out.flow_logits)

    return {"cnns": cnns, "rest": rest, "whole": whole}


def _times(training: bool, steps: int, repeats: int) -> tuple[float, float, float]:
    """Median seconds of the CNNs, of the rest and of the whole, in turns after a first one of each."""
    parts = _parts(_network(), steps, training)
    taken: dict[str, list[float]] = {name: [] for name in parts}
    with torch.set_grad_enabled(training):
        for turn in range(repeats + 1):
            for name, part in parts.items():
                start = time.perf_counter()
                part()
                if best_device().type == "cuda":
                    torch.cuda.synchronize()
                if turn:
                    taken[name].append(time.perf_counter() - start)
    return (
        statistics.median(taken["cnns"]),
        statistics.median(taken["rest"]),
        statistics.median(taken["whole"]),
    )


def _in_its_own_process(training: bool, steps: int, part: str) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory, (training, steps, part))


def _memory(training: bool, steps: int, part: str) -> float:
    """MiB at most above the most that was held before."""
    measured = _parts(_network(), steps, training)[part]
    before = _peak()
    with torch.set_grad_enabled(training):
        measured()
    return _peak() - before


def _peak() -> float:
    if best_device().type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # getrusage would count the parent's peak
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


if __name__ == "__main__":
    main()
