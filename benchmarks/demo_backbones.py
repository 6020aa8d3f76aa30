"""The small backbones that come with the package and that the demo begins with, trained on generated videos.

    uv run python -m benchmarks.demo_backbones [--out runs/demo_backbones]

They stand for what ImageNet's weights are to larger networks. Each stream's learns from trimmed videos of
classes and backgrounds that no demo has; the weights and their card go into the package. Broken off, the same
command goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from attcell._files import write_text, written_whole
from attcell._log import messages_on_stderr
from attcell._parallel import one_thread
from attcell.models.weights import SHIPPED, shipped_weights
from attcell.research.driver import PlannedRun, model_of, run_all
from attcell.research.plan import plan_runs
from attcell.research.suites.networks import cnn_recipe
from attcell.research.suites.videos import Planned, make_videos
from benchmarks.machine import machine

VIDEO_SEED, TRAINING_SEED = 7000, 0
CLASSES = 10  # five colours, each of which goes on two of five paths
VIDEOS = {"train": 48, "val": 6}  # of each class
EPOCHS = {"frame": 12, "flow": 8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/demo_backbones"))
    out = parser.parse_args().out.absolute()
    with messages_on_stderr(), one_thread():
        runs = _train(out)
    for stream in EPOCHS:
        _publish(model_of(out, f"backbone-{stream}", TRAINING_SEED), shipped_weights(stream))
    write_text(SHIPPED / "card.json", json.dumps(_card(runs), indent=2) + "\n")


def _train(out: Path) -> dict[str, PlannedRun]:
    planned = Planned("trimmed", VIDEO_SEED, VIDEOS, CLASSES, look="smooth")
    videos = make_videos(out, {"trimmed": planned})["trimmed"]
    runs = {}
    for stream, epochs in EPOCHS.items():
        recipe = cnn_recipe(f"backbone-{stream}", videos, stream, epochs)
        (runs[stream],) = plan_runs([recipe], out, None, [TRAINING_SEED])
        run_all([runs[stream]], 1)
    return runs


def _publish(model: Path, file: Path) -> None:
    """The backbone's weights alone, in half precision."""
    state = load_file(model / "model.safetensors")
    own = {
        key.partition(".backbone.body.")[2]: value.to(torch.float16).contiguous()
        for key, value in state.items()
        if ".backbone.body." in key
    }
    with written_whole(file) as temporary:
        save_file(own, temporary)


def _card(runs: dict[str, PlannedRun]) -> dict[str, Any]:
    return {
        "what": "weights of the backbone small, of frames and of flow, in half precision",
        "data": (
            f"generated videos of the kind trimmed, motions paths, look smooth: {CLASSES} classes, "
            f"{CLASSES * VIDEOS['train']} for training and {CLASSES * VIDEOS['val']} for validation"
        ),
        "video_seed": VIDEO_SEED,
        "training_seed": TRAINING_SEED,
        "epochs": EPOCHS,
        "validation_accuracy": {
            stream: round(run.accuracies(stream)[stream], 1) for stream, run in runs.items()
        },
        "command": "uv run python -m benchmarks.demo_backbones",
        "machine": machine(),
        "licence": "MIT, as the package",
    }


if __name__ == "__main__":
    main()
