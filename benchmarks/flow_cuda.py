"""TV-L1 on CUDA: what a GPU's memory and instructions allow, and what is measured where there is one.

    uv run python -m benchmarks.flow_cuda [--seconds 2]

Without a GPU: bytes per pixel and iteration; instructions, counted in the code that Triton's compiler makes;
and the pairs a second that both allow on GPUs whose bandwidth and clock are known. With a CUDA device also:
pairs a second by the kernels and by the plain version, beside those bounds, and how many codes are the CPU's.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from attcell._files import write_text
from attcell.flow import PRESETS, TVL1, _plain, grey, quantize, tvl1
from attcell.flow._fixed_point import Linearised, Solution, Weights
from attcell.flow._settings import STEPS
from attcell.video.decode import read_frames
from benchmarks.machine import data_folder, machine
from benchmarks.triton_code import kernels, loop_instructions, resources

RESULTS = Path(__file__).parent / "results"
CLIP = "clips/v_BaseballPitch_g01_c01.avi"
SIZES = ((240, 320), (480, 640), (720, 1280))
BATCHES = (1, 16, 64)
WIDE = 32  # as in attcell.flow._triton, which cannot be imported where Triton is not
NUMBER = 4  # bytes
# What goes to and from a GPU's memory, in planes a pixel: the flow, its dual variables and the linear picture
# are read once a launch, and the first two written; median and warp likewise.
ITERATE, MEDIAN, LINEARISE = 9 + 6, 2 + 2, 2 + 3 + 1 + 3


@dataclass(frozen=True)
class Gpu:
    """From the makers' data sheets: bytes a second, multiprocessors, clock in Hz, compute capability."""

    bandwidth: float
    processors: int
    clock: float
    capability: int

    @property
    def instructions(self) -> float:
        """A second, each for 32 pixels: one a cycle from each of a multiprocessor's four schedulers."""
        return self.processors * 4 * self.clock


GPUS = {
    "T4": Gpu(320e9, 40, 1.59e9, 75),
    "L4": Gpu(300e9, 58, 2.04e9, 89),
    "RTX 3090": Gpu(936e9, 82, 1.70e9, 86),
    "RTX 4090": Gpu(1008e9, 128, 2.52e9, 89),
    "A100 40 GB": Gpu(1555e9, 108, 1.41e9, 80),
    "H100 SXM": Gpu(3350e9, 132, 1.98e9, 90),
    "H200": Gpu(4800e9, 132, 1.98e9, 90),
}


@dataclass(frozen=True)
class Work:
    """Of one pair, all scales together, how often each pixel goes through an iteration, a median, a warp."""

    iterated: float
    smoothed: float
    warped: float

    @property
    def bytes(self) -> float:
        """A pixel."""
        planes = self.iterated * ITERATE / STEPS + self.smoothed * MEDIAN + self.warped * LINEARISE
        return planes * NUMBER

    def pixels_a_second(self, gpu: Gpu, each: float | None) -> list[float]:
        """As many as the bandwidth allows, and as the instructions of the iterations do, if known."""
        allowed = [gpu.bandwidth / self.bytes]
        return [*allowed, gpu.instructions / (self.iterated * each)] if each else allowed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="each rate is measured so long")
    options = parser.parse_args()
    frames = _frames()
    work = {name: _work(frames[SIZES[0]], settings) for name, settings in PRESETS.items()}
    parts = [f"# TV-L1 on CUDA\n\n{machine()}\n", _bytes_table(), _code_table(), _bounds_table(work)]
    if torch.cuda.is_available():
        parts.append(_measured(frames, work, options.seconds))
    else:
        parts.append(
            "## Measured\n\nNothing yet: none of this has run on a GPU. What the kernels compute was checked "
            "by Triton's interpreter, and they\nwere compiled for the GPUs above. On a machine with a CUDA "
            "device `python -m benchmarks.flow_cuda` measures them.\n"
        )
    text = "\n".join(parts)
    write_text(RESULTS / "flow_cuda.md", text)
    print(text)


def _frames() -> dict[tuple[int, int], torch.Tensor]:
    """Size -> neighbouring frames of a real clip (N, H, W) uint8."""
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    images = np.stack(read_frames(folder / CLIP, lambda count: np.arange(min(count, 65))).images)
    frames = grey(torch.from_numpy(images).movedim(-1, 1))[:, None].float()
    return {size: torch.nn.functional.interpolate(frames, size)[:, 0].byte() for size in SIZES}


def _work(frames: torch.Tensor, settings: TVL1) -> Work:
    """Counted in the plain version: what the kernels have to do for the first pair of frames."""
    warps: list[list[int]] = []  # pixels, and iterations
    solve, iterate = _plain.solved, _plain.iterate
    last: list[Any] = [None, 0]  # what the last iterations began with, and how many they were

    def solved(solution: Solution, picture: Linearised, chosen: TVL1) -> Solution:
        warps.append([picture.num_pixels, 0])
        return solve(solution, picture, chosen)

    def counted(start: Solution, picture: Linearised, steps: int, *rest: Any, **options: Any) -> Any:
        warps[-1][1] += steps - (last[1] if start is last[0] else 0)  # once more, up to the last that counts
        last[:] = start, steps
        return iterate(start, picture, steps, *rest, **options)

    with patch.object(_plain, "solved", solved), patch.object(_plain, "iterate", counted):
        _plain.tvl1_plain(frames[:1].float(), frames[1:2].float(), settings)
    iterated = smoothed = 0.0
    for pixels, taken in warps:
        iterated += (
            pixels * STEPS * (-(-taken // STEPS) + (taken % STEPS > 0))
        )  # whole launches, the last again
        smoothed += pixels * -(-taken // settings.round_iterations) * settings.median
    area = frames[0].numel()
    return Work(iterated / area, smoothed / area, sum(pixels for pixels, _ in warps) / area)


class _Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = operation(*args, **(kwargs or {}))
        if not operation.is_view:
            tensors = [part for part in tree_leaves([args, found]) if isinstance(part, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return found


def _plain_bytes() -> float:
    """Of the plain version, a pixel and iteration."""
    picture = Linearised.of(*torch.rand(3, 1, 64, 64))
    solution = Solution.starting_at(torch.rand(1, 2, 64, 64))
    with _Traffic() as traffic:
        _plain.iterate(solution, picture, STEPS, Weights(0.25, 0.15, 0.3, False), measured=False)
    return traffic.bytes / (STEPS * 64 * 64)


def _bytes_table() -> str:
    one, many, plain = ITERATE * NUMBER, ITERATE * NUMBER / STEPS, _plain_bytes()
    return f"""## Bytes

What goes to and from the GPU's memory if each number is read once a launch. What is read twice, at the
margins of strips, comes from the GPU's cache.

| | bytes a pixel | |
|---|---|---|
| an iteration of the plain version | {plain:.0f} | all that its operations read and write |
| an iteration, if a launch did one | {one} | {ITERATE - 6} numbers read, 6 written |
| an iteration, {STEPS} a launch, as it is | {many:.0f} | {plain / many:.0f} times less than plain |
| a median | {MEDIAN * NUMBER} | a round of iterations begins with one |
| a warp | {LINEARISE * NUMBER} | |
"""


@cache
def _instructions(capability: int, preset: str) -> float | None:
    """For 32 pixels and one iteration, whose margins are computed too."""
    if importlib.util.find_spec("triton") is None:
        return None
    rows = loop_instructions(kernels(capability, PRESETS[preset])["iterate"])
    return rows / STEPS / (WIDE - 2 * STEPS)


def _code_table() -> str:
    lines = [
        "## Code\n",
        "As Triton's compiler makes it for these compute capabilities. An iteration's instructions are those "
        f"of {WIDE} pixels in a row, of\nwhich {WIDE - 2 * STEPS} count. A kernel whose registers do not "
        "hold all has some bytes beside them.\n",
        "| compute capability | preset | kernel | registers | bytes beside | instructions an iteration |",
        "|---|---|---|---|---|---|",
    ]
    if importlib.util.find_spec("triton") is None:
        return "## Code\n\nNot looked at: Triton is not installed here.\n"
    for capability in sorted({gpu.capability for gpu in GPUS.values()}):
        for preset, settings in PRESETS.items():
            for name, compiled in kernels(capability, settings).items():
                registers, spilled = resources(compiled)
                loop = f"{loop_instructions(compiled) / STEPS:.0f}" if name == "iterate" else ""
                where = f"{capability / 10} | {preset} | {name}"
                lines.append(f"| {where} | {registers} | {spilled} | {loop} |")
    return "\n".join(lines) + "\n"


def _bounds_table(work: dict[str, Work]) -> str:
    lines = [
        "## Bounds\n",
        "Pairs a second that the memory's bandwidth allows, and after it those that the instructions of the "
        "iterations allow at one a\ncycle and scheduler. Neither counts the small steps, the launches or the "
        "host; what is reached is below the smaller one.\n",
        f"| preset | GPU | {' | '.join(map(_named, SIZES))} |",
        f"|---|---|{'---|' * len(SIZES)}",
    ]
    for preset in PRESETS:
        for name, gpu in GPUS.items():
            cells = []
            rates = work[preset].pixels_a_second(gpu, _instructions(gpu.capability, preset))
            for height, width in SIZES:
                cells.append(" / ".join(f"{rate / (height * width):,.0f}" for rate in rates))
            lines.append(f"| {preset} | {name} | {' | '.join(cells)} |")
    iterations = " and ".join(f"{work[preset].iterated:.0f} with {preset}" for preset in PRESETS)
    lines.append(
        f"\nA pair of a real clip at {_named(SIZES[0])} goes through {iterations} iterations of all its "
        "pixels, the smaller scales counted\nby their size; larger pictures are taken to be alike."
    )
    return "\n".join(lines) + "\n"


def _named(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"


# With a GPU.


def _measured(frames: dict[tuple[int, int], torch.Tensor], work: dict[str, Work], seconds: float) -> str:
    lines = [
        f"## Measured on {torch.cuda.get_device_name()}\n",
        f"Its memory reads and writes {_copy_bandwidth() / 1e9:,.0f} GB a second in a copy. "
        "Pairs a second:\n",
        "| preset | size | batch | kernels | plain version | times it | of what the bandwidth allows |"
        " codes as on the CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for preset, size, batch in product(PRESETS, SIZES, BATCHES):
        part = frames[size][:batch].cuda(), frames[size][1 : batch + 1].cuda()
        line = _line(part, preset, work[preset], seconds)
        lines.append(f"| {preset} | {_named(size)} | {len(part[0])} {line}")
    return "\n".join(lines) + "\n"


def _line(pictures: tuple[torch.Tensor, torch.Tensor], preset: str, work: Work, seconds: float) -> str:
    (previous, following), settings = pictures, PRESETS[preset]
    first, second = previous.float(), following.float()
    ours = _rate(lambda: tvl1(previous, following, settings), len(first), seconds)
    plain = _rate(lambda: _plain.tvl1_plain(first, second, settings), len(first), seconds)
    share = ours * first[0].numel() * work.bytes / _copy_bandwidth()
    there = quantize(tvl1(previous[:4], following[:4], settings)).cpu()
    here = quantize(tvl1(previous[:4].cpu(), following[:4].cpu(), settings))
    same = (there == here).float().mean()
    return f"| {ours:,.0f} | {plain:,.1f} | {ours / plain:.0f} | {share:.0%} | {same:.2%} |"


@torch.inference_mode()
def _rate(find: Callable[[], Any], pairs: int, seconds: float) -> float:
    """Pairs a second, warm."""
    find()
    torch.cuda.synchronize()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        find()
        torch.cuda.synchronize()
        done += pairs
    return done / (time.perf_counter() - start)


@cache
def _copy_bandwidth() -> float:
    """Bytes a second, read and written."""
    source = torch.empty(2**28, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return _rate(lambda: target.copy_(source), 2 * len(source), 0.5)


if __name__ == "__main__":
    main()
