"""TV-L1 against OpenCV's DualTVL1: the same codes on real pairs, and the end-point error on known motion.

    uv run python -m benchmarks.flow_agreement [--pairs 24]

Real pairs are drawn with a fixed seed from Weizmann, UT-Interaction set 1 (one pair a video) and ``clips/``
(three). Codes are those of bound 20. One column holds ``paper`` beside the plain PyTorch version. The last
columns show how far OpenCV agrees with itself: when both of its pictures are made brighter by one part in a
million, and when it resizes by its own code instead of by Intel's IPP, as it does where there is none. No
motion lies on the edge between the codes 127 and 128, and a last bit that differs grows, from warp to warp
and by way of when the iterations stop; so any other rounding shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from attcell._files import write_text
from attcell.flow import PRESETS, grey, quantize, tvl1
from attcell.flow._plain import tvl1_plain
from attcell.types import Size
from attcell.video.decode import read_frames
from benchmarks.known_motion import KINDS, SCENES, KnownPair, known_pair, scene_pair
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
MOTIONS = (0.5, 2.0, 5.0, 9.0, 14.0)  # pixels
SEEDS = 8  # of scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12, help="of Weizmann, and as many of UT-Interaction")
    options = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    title = f"# TV-L1 beside OpenCV {cv2.__version__}"
    text = f"{title}\n\n{machine()}\n\n{agreement(folder, options.pairs)}\n{errors()}\n{errors_in_scenes()}"
    write_text(RESULTS / "flow_agreement.md", text)
    print(text)


def opencv(previous: np.ndarray, following: np.ndarray) -> torch.Tensor:
    """DualTVL1 with its default parameters: (H, W) twice -> (2, H, W)."""
    module: Any = cv2.optflow  # a type stub knows nothing of the contrib modules
    flow = module.DualTVL1OpticalFlow_create().calc(previous, following, None)
    return torch.from_numpy(flow).permute(2, 0, 1)


def agreement(folder: Path, num_pairs: int) -> str:
    lines = [
        "## The same codes (bound 20)\n",
        "Per cent of the pixels, means over the pairs: with OpenCV's code, within one code, with OpenCV's 32",
        "bits, with the plain PyTorch version's; then OpenCV against itself, when the pictures are brighter",
        "by 1e-6, and without IPP.\n",
        "| set | pairs | same | within one | bits | plain: bits | brighter: same | within one | no IPP |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for name, files in _files(folder, num_pairs).items():
        found = np.array([_agreement(*_pair(path, number)) for number, path in enumerate(files)])
        rows.append(found)
        lines.append(_row(name, found))
    lines.append(_row("all", np.concatenate(rows)))
    return "\n".join(lines) + "\n"


def _row(name: str, found: np.ndarray) -> str:
    return f"| {name} | {len(found)} | " + " | ".join(f"{value:.1f}" for value in found.mean(axis=0)) + " |"


def _files(folder: Path, num_pairs: int) -> dict[str, list[Path]]:
    rng = np.random.default_rng(0)
    sets = {
        "Weizmann": sorted((folder / "weizmann").glob("*/*.avi")),
        "UT-Interaction": sorted((folder / "ut_interaction_set1").glob("*.avi")),
    }
    drawn = {
        name: [files[i] for i in rng.choice(len(files), num_pairs, replace=False)]
        for name, files in sets.items()
    }
    return {**drawn, "clips": [path for path in sorted((folder / "clips").iterdir()) for _ in range(3)]}


def _pair(path: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([1, number])

    def two(num_frames: int) -> np.ndarray:
        first = int(rng.integers(num_frames - 1))
        return np.array([first, first + 1])

    def small(shown: Size) -> Size:
        scale = min(1.0, 256 / min(shown))
        return Size(round(shown.width * scale), round(shown.height * scale))

    images = read_frames(path, two, size=small).images
    first, second = grey(torch.from_numpy(np.stack(images)).movedim(-1, 1)).numpy()
    return first, second


def _agreement(previous: np.ndarray, following: np.ndarray) -> tuple[float, ...]:
    theirs = opencv(previous, following)
    first, second = (torch.from_numpy(picture)[None].float() for picture in (previous, following))
    ours, plain = tvl1(first, second, "paper")[0], tvl1_plain(first, second, PRESETS["paper"])[0]
    same_bits = [100 * float((ours == other).float().mean()) for other in (theirs, plain)]
    brighter = [image.astype(np.float32) / 255 * np.float32(1 + 1e-6) for image in (previous, following)]
    without, _ = _shares(_without_ipp(previous, following), theirs)
    return (*_shares(ours, theirs), *same_bits, *_shares(opencv(*brighter), theirs), without)


def _without_ipp(previous: np.ndarray, following: np.ndarray) -> torch.Tensor:
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        return opencv(previous, following)
    finally:
        cv2.ipp.setUseIPP(used)


def _shares(one: torch.Tensor, other: torch.Tensor) -> tuple[float, float]:
    apart = (quantize(one).int() - quantize(other).int()).abs()
    return 100 * float((apart == 0).float().mean()), 100 * float((apart <= 1).float().mean())


def errors() -> str:
    lines = [
        "## End-point error on known motion\n",
        "Pixels; 240×320, a texture of waves with noise, where the target lies in the picture.\n",
        "| motion | pixels | OpenCV | paper | fast | fine |",
        "|---|---|---|---|---|---|",
    ]
    found = []
    for kind in KINDS:
        for pixels in MOTIONS:
            pair = known_pair(kind, pixels)
            row = _errors(pair)
            found.append(row)
            lines.append(f"| {kind} | {pixels} | " + " | ".join(f"{error:.3f}" for error in row) + " |")
    lines.append("| mean | | " + " | ".join(f"{error:.3f}" for error in np.mean(found, axis=0)) + " |")
    return "\n".join(lines) + "\n"


def errors_in_scenes() -> str:
    lines = [
        "## End-point error in scenes\n",
        f"Pixels, means of {SEEDS} scenes: discs over each other and over a ground, which move by up to so",
        "many pixels; in the last the shutter is open for 0.7 of the time. What is covered next counts.\n",
        "| scene | ground | discs | OpenCV | paper | fast | fine |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, scene in SCENES.items():
        found = np.mean([_errors(scene_pair(name, seed)) for seed in range(SEEDS)], axis=0)
        numbers = " | ".join(f"{error:.3f}" for error in found)
        lines.append(f"| {name} | {scene.ground} | {scene.discs} | {numbers} |")
    return "\n".join(lines) + "\n"


def _errors(pair: KnownPair) -> list[float]:
    """Of OpenCV, and of each preset."""
    flows = [opencv(pair.previous, pair.following).numpy()]
    flows += [tvl1(pair.previous[None], pair.following[None], settings)[0] for settings in PRESETS.values()]
    return [pair.error(flow) for flow in flows]


if __name__ == "__main__":
    main()
