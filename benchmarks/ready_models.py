"""Every ready model of torchvision beside torchvision's own transforms and network, and what a clip costs.

    uv run python -m benchmarks.ready_models [NAME...] [--clips 2]

Nothing is downloaded: each network gets random weights, saved in their published form where torch's hub keeps
them, in a folder of this run's own. It is then loaded by its name, and predicts a generated video. Its scores
are held against those of torchvision's own transforms and network on the same clips, its classes against the
published ones. The last columns are seconds for a clip, alone and with where the evidence is.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import attcell
from attcell.models.ready.kinetics import NAMES, KineticsEntry, kinetics_entry
from attcell.synth.write import write_dataset
from attcell.types import Prediction
from attcell.video.clips import ClipPlan, mean_rate


def main() -> None:
    """Measure the networks named, or all."""
    parser = argparse.ArgumentParser(description="Every ready model beside torchvision's own.")
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--clips", type=int, default=2)
    given = parser.parse_args()
    print(
        f"{'name':22}{'best score':>12}{'largest difference':>20}{'classes':>9}"
        f"{'torchvision':>13}{'predict':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCH_HOME"] = folder
        write_dataset(Path(folder) / "set", "untrimmed", seed=1, num_classes=4, videos={"test": 1})
        video = next((Path(folder) / "set").rglob("*.mp4"))
        for name in given.names:
            measure(kinetics_entry(name), video, given.clips)


def measure(entry: KineticsEntry, video: Path, num_clips: int) -> None:
    """Print one network's line."""
    network = random_network(entry, video)
    model = attcell.load(entry.name)
    began = time.perf_counter()
    found = model.predict(video, clips=num_clips)  # type: ignore[call-arg]
    predicted = time.perf_counter() - began
    began = time.perf_counter()
    expected = expected_scores(network, entry, video, num_clips)
    direct = time.perf_counter() - began
    entry.path.unlink()
    difference = float(np.abs(found.scores - expected).max())
    seen = len(found.segments)
    agree = "same" if classes_agree(found, entry) else "OTHER"
    print(
        f"{entry.name:22}{found.scores.max():12.4f}{difference:20.1e}{agree:>9}"
        f"{direct / seen:11.2f} s{predicted / seen:7.2f} s",
        flush=True,
    )
    if difference > 1e-5 or agree != "same":
        raise SystemExit(f"{entry.name} does not say what torchvision says")


def random_network(entry: KineticsEntry, video: Path) -> nn.Module:
    """The network with random weights, which are saved as the published ones are."""
    from torchvision.models import get_model

    torch.manual_seed(0)
    network: nn.Module = get_model(entry.name.split("/")[1]).eval()
    decided(network, entry, video)
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), entry.path)
    return network


def decided(network: nn.Module, entry: KineticsEntry, video: Path) -> None:
    """Set statistics, and scale the last layer so that logits spread by about 2: random weights leave all
    classes nearly alike, and scores that are all alike agree with any.
    """
    images = attcell.video.read_frames(video, lambda num_frames: np.arange(16)).images
    clip = entry.weights.transforms()(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))[None]
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm3d)]
    with torch.no_grad():
        if norms:
            for part in norms:
                part.momentum = 1.0
            network.train()(clip)  # whose statistics are then those of what comes through
        spread = network.eval()(clip).std()
    *_, last = (part for part in network.modules() if isinstance(part, nn.Linear | nn.Conv3d))
    with torch.no_grad():
        last.weight.mul_(2 / spread)


def classes_agree(found: Prediction, entry: KineticsEntry) -> bool:
    """Whether the classes are the 400 that torchvision publishes, in its order."""
    return list(found.labels) == entry.weights.meta["categories"] and len(set(found.labels)) == 400


def expected_scores(network: nn.Module, entry: KineticsEntry, video: Path, num_clips: int) -> np.ndarray:
    """(A,) of torchvision's transforms and network, over the same clips."""
    plan = ClipPlan(entry.clip.num_frames, entry.clip.rate, num_clips)
    transforms, scores = entry.weights.transforms(), []
    images = attcell.video.read_frames(video, np.arange).images
    for indices in plan.frame_indices(len(images), mean_rate(video)):
        clip = torch.from_numpy(np.stack([images[index] for index in indices])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            scores.append(network(transforms(clip)[None]).softmax(1)[0].numpy())
    return np.mean(scores, axis=0)


if __name__ == "__main__":
    main()
