"""What today's backbones cost: the processor time of one video through each recipe of recipes/modern/.

    uv run python -m benchmarks.backbone_cost [VIDEO]

Networks have random weights, for the same arithmetic; T = 8, one crop, as ``attcell predict`` does it. It is
processor time of all cores together, which other work on the machine changes little; of the whole, and of the
pass through each stream's backbone by itself. VIDEO is a clip of UCF101 unless given.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_text
from attcell.config import Recipe, load_recipe
from attcell.inference.model import Model
from attcell.inference.run import part_maps
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.video.decode import read_frames
from attcell.video.parts import ViewParts
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
BACKBONE = "model.streams.clip.backbone"
LABELS = tuple(f"class {number}" for number in range(101))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("video", nargs="?", type=Path)
    clips = data_folder()
    usual = None if clips is None else clips / "clips" / "v_BasketballDunk_g17_c03.avi"
    video = parser.parse_args().video or usual
    if video is None:
        raise SystemExit("no real clips here: set ATTCELL_DATA, or give a VIDEO")
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            "stan-small": ["stan-small"],
            "modern/dinov2, frames alone": ["modern/dinov2", "model.streams.flow=null"],
            "the same at its own 518": [
                "modern/dinov2",
                "model.streams.flow=null",
                "input.size=518",
                "input.short_side=518",
            ],
            "modern/dinov2": ["modern/dinov2"],
            "modern/mvit": ["modern/mvit"],
            "the same with swin3d_t": ["modern/mvit", f"{BACKBONE}=swin3d_t", "clip.stride=2"],
            "modern/videomae": ["modern/videomae", f"{BACKBONE}={_video_mae(Path(folder))}"],
        }
        lines = [
            f"One video ({video.name}, {_length(video)}), T = 8, random weights. {machine()}. "
            "Processor time, of all cores together.",
            "",
            "| recipe | backbones | regions | the whole | its backbones |",
            "|---|---|---|---|---|",
        ]
        for name, (recipe, *overrides) in rows.items():
            given = ["data.train=videos", "model.weights=none", *overrides]
            lines.append(_line(name, load_recipe(recipe, given), video))
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    write_text(RESULTS / "backbone_cost.md", text)


def _video_mae(folder: Path) -> Path:
    """The published shape; weights are not needed."""
    from transformers import VideoMAEConfig, VideoMAEImageProcessor

    VideoMAEConfig().save_pretrained(folder)
    VideoMAEImageProcessor().save_pretrained(folder)
    return folder


def _length(video: Path) -> str:
    info = read_frames(video, lambda num: np.array([0])).info
    return f"{info.num_frames} frames, {info.size.width}×{info.size.height}"


def _line(name: str, recipe: Recipe, video: Path) -> str:
    torch.manual_seed(0)
    network = build_network(recipe, len(LABELS), load_weights=False).eval()
    model = Model(network, LABELS, recipe)
    regions = {stream: of.shape[-1] for stream, of in model.predict(video).spatial_attention.items()}
    whole = _seconds(lambda: model.predict(video))
    parts = [part.views for part in ViewParts(video, input_spec(recipe), evaluation_plan(recipe))]
    views = {stream: torch.cat([part[stream] for part in parts], dim=1) for stream in parts[0]}
    of_each = {
        stream: _seconds(lambda stream=stream: part_maps(network, {stream: views[stream]}))  # type: ignore[misc]
        for stream in views
    }
    named = [section.backbone for section in recipe.model.streams.values()]
    backbones = ", ".join("VideoMAE base" if Path(name).is_absolute() else name for name in named)
    cells = [
        name,
        backbones,
        ", ".join(f"{side}×{side}" for side in regions.values()),
        f"{whole:.1f} s",
        ", ".join(f"{stream} {seconds:.1f} s" for stream, seconds in of_each.items()),
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(work: Callable[[], Any], repeats: int = 2) -> float:
    """The least processor time of some turns."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
