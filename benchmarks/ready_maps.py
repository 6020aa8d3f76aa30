"""Do a ready model's maps say what the network uses? Deletion and insertion beside chance.

    uv run python -m benchmarks.ready_maps [--videos 4] [--seed 0]

Published weights know nothing of generated videos, so two small networks learn their classes first, from
trimmed videos: a 3-D CNN, whose maps are Grad-CAM's, and a VideoMAE (extra transformers), whose maps are
those of attention rollout. Both then answer as any ready model does, on test videos as the demo makes them:
untrimmed, with a grey figure that acts in turn, and somebody of another colour. The maps are those that
``predict`` gives.

Deletion (Petsiuk et al. 2018) blanks the regions of a clip, those of the largest weight first, in all of its
frames; insertion begins with a blank clip. The area is that under the probability of the class that was
predicted for the video: low is good for deletion, high for insertion. Beside it stand orders drawn at random,
three for each clip. Both are told over all clips of a prediction, and over those of the action alone:
elsewhere there is nothing of the class to be seen. Where the largest weight lies in a box of the actor the
map points right; chance is the share of the boxes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from attcell.data.truth import BoxedVideo, generated_boxes
from attcell.errors import CallError
from attcell.inference.localization import attention_metrics
from attcell.inference.ready import STREAM, ReadyModel
from attcell.models.ready.hub import hub_network
from attcell.models.ready.network import ClipProtocol, Preprocessing, ReadyNetwork
from attcell.nn.evidence import GradCAM
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset
from attcell.video.clips import ClipPlan, Clips
from attcell.video.decode import read_frames
from benchmarks.machine import machine

SIDE, LENGTH, RATE, EVERY = 56, 8, 6.0, 2  # a clip is every second frame of 12 a second
PLAIN = Preprocessing((SIDE,), (SIDE, SIDE), (0.45,) * 3, (0.225,) * 3)
CLIP = ClipProtocol(LENGTH, RATE, 8, "as it was trained")
TRAINING_VIDEOS = 40  # of each class
PARTS, DRAWS = 10, 3


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description="Deletion and insertion of ready models' maps.")
    parser.add_argument("--videos", type=int, default=4, help="test videos of each class")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trimmed = {"motions": "paths", "seed": 4000 + given.seed, "videos": {"train": TRAINING_VIDEOS}}
        write_dataset(root / "trimmed", "trimmed", look="smooth", **trimmed)
        data = write_dataset(
            root / "test", "untrimmed", seed=5000 + given.seed, motions="paths", look="smooth", in_turn=True,
            videos={"test": given.videos},
        )  # fmt: skip
        labels = tuple(sorted(path.name for path in (data / "test").iterdir()))
        clips, classes = training_clips(root / "trimmed", labels)
        print(f"{6 * given.videos} test videos of 6 classes (chance 16.7 %); {machine()}\n")
        print(
            "| network | right | clips | deletion (random) | insertion (random) | points right (chance) |\n"
            "|---|---|---|---|---|---|"
        )
        for name, make, steps, rate in (("3-D CNN", cnn, 400, 2e-3), ("VideoMAE", mae, 1500, 1e-3)):
            torch.manual_seed(given.seed)
            try:
                network, ready = make(labels, root)
            except CallError as error:
                print(f"{name} is left out: {error}")
                continue
            fitted(network, (clips, classes), given.seed, steps, rate)
            report(name, ReadyModel(ready(network.eval())), data, labels)
    print(f"\n{time.perf_counter() - began:.0f} seconds")


def training_clips(data: Path, labels: tuple[str, ...]) -> tuple[list[Tensor], Tensor]:
    """Every second frame of each video (N, 3, 56, 56) uint8, and its class."""
    videos = sorted((data / "train").rglob("*.mp4"))
    frames = [
        torch.stack([PLAIN.prepare(image) for image in read_frames(video, every_second).images])
        for video in videos
    ]
    return frames, torch.tensor([labels.index(video.parent.name) for video in videos])


def every_second(num_frames: int) -> np.ndarray:
    """The frames that are learnt from."""
    return np.arange(0, num_frames, EVERY)


def fitted(network: nn.Module, data: tuple[list[Tensor], Tensor], seed: int, steps: int, rate: float) -> None:
    """Train the network on random clips of the videos, half of them mirrored."""
    videos, classes = data
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    network.train()
    for _ in range(steps):
        chosen = rng.integers(len(videos), size=16)
        views = []
        for index in chosen:
            start = rng.integers(len(videos[index]) - LENGTH + 1)
            (view,) = PLAIN.views(list(videos[index][start : start + LENGTH]), 1)
            views.append(view.flip(-1) if rng.random() < 0.5 else view)
        loss = nn.functional.cross_entropy(network(torch.stack(views)), classes[torch.from_numpy(chosen)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


Ready = Callable[[nn.Module], ReadyNetwork]


def cnn(labels: tuple[str, ...], _: Path) -> tuple[nn.Module, Ready]:
    """A 3-D CNN of four layers, to 4 steps of 7×7 regions."""

    def layer(before: int, after: int, stride: tuple[int, int, int]) -> nn.Sequential:
        convolution = nn.Conv3d(before, after, 3, stride, 1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm3d(after), nn.ReLU())

    shapes = ((3, 16, (1, 2, 2)), (16, 32, (1, 2, 2)), (32, 64, (2, 2, 2)), (64, 64, (1, 1, 1)))
    features = [layer(*shape) for shape in shapes]
    network = nn.Sequential(*features, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(64, len(labels)))
    evidence = GradCAM("3", lambda maps: maps, "Grad-CAM at the last convolution")
    return network, lambda fitted: ReadyNetwork("small-cnn", fitted, labels, PLAIN, CLIP, evidence)


def mae(labels: tuple[str, ...], root: Path) -> tuple[nn.Module, Ready]:
    """A VideoMAE of 3 blocks, which is saved as transformers does, and loaded by its folder."""
    try:
        import transformers
    except ImportError as error:
        raise CallError("transformers is not installed") from error
    config = transformers.VideoMAEConfig(
        image_size=SIDE, patch_size=8, num_frames=LENGTH, tubelet_size=2, hidden_size=64, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=128, id2label=dict(enumerate(labels)),
    )  # fmt: skip
    inner = transformers.VideoMAEForVideoClassification(config)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, clips: Tensor) -> Tensor:
            logits: Tensor = self.inner(clips.transpose(1, 2)).logits
            return logits

    def ready(_: nn.Module) -> ReadyNetwork:
        inner.save_pretrained(root / "mae")
        crop = {"height": SIDE, "width": SIDE}
        processor = transformers.VideoMAEImageProcessor(
            size={"shortest_edge": SIDE}, crop_size=crop, image_mean=[0.45] * 3, image_std=[0.225] * 3
        )
        processor.save_pretrained(root / "mae")
        return replace(hub_network(str(root / "mae")), clip=CLIP)

    return Whole(), ready


@dataclass(frozen=True)
class Seen:
    """What a clip's map came to.

    Attributes:
        areas: (2,) under deletion's and insertion's curve.
        by_chance: (2,) the same of orders drawn at random.
        is_action: whether its frame in the middle shows the action.
    """

    areas: np.ndarray
    by_chance: np.ndarray
    is_action: bool


def report(name: str, model: ReadyModel, data: Path, labels: tuple[str, ...]) -> None:
    """Print a network's lines: over all clips, and over those of the action."""
    boxes = generated_boxes(read_truth(data))
    right, tracks, seen = [], [], []
    rng = np.random.default_rng(0)
    for video in sorted((data / "test").rglob("*.mp4")):
        found = model.predict(video, pictures=False)
        label = int(found.scores.argmax())
        right.append(labels[label] == video.parent.name)
        tracks.append((found.segments, boxes[video.relative_to(data).as_posix()]))
        seen.append(looked_at(model, video, found.spatial_attention[STREAM], label, tracks[-1][1], rng))
    pointing = attention_metrics(tracks, STREAM)
    told = f"{100 * np.mean(right):.1f} %"
    points = f"{100 * pointing.pointing:.1f} % ({100 * pointing.pointing_chance:.1f} %)"
    print(f"| {name}, {model.ready.evidence.words} | {told} | all | {compared(seen)} | |", flush=True)
    action = [[one for one in of if one.is_action] for of in seen]
    print(f"| the same | | of the action | {compared(action)} | {points} |", flush=True)


def looked_at(
    model: ReadyModel, video: Path, maps: np.ndarray, label: int, truth: BoxedVideo, rng: np.random.Generator
) -> list[Seen]:
    """Deletion and insertion of each clip of a prediction."""
    clip, preprocessing = model.ready.clip, model.ready.preprocessing
    plan, seen = ClipPlan(clip.num_frames, clip.rate, clip.num_clips), []
    for one, weights in zip(Clips(video, plan, preprocessing.prepare), maps, strict=True):
        (view,) = preprocessing.views(one.frames, 1)
        orders = [weights, *(rng.random(weights.shape) for _ in range(DRAWS))]
        areas = np.array([curve_areas(model, view, of, label) for of in orders])
        middle = int(one.frame_indices[LENGTH // 2])
        seen.append(Seen(areas[0], areas[1:].mean(axis=0), bool(truth.action[middle])))
    return seen


def compared(videos: list[list[Seen]]) -> str:
    """Two cells: the means, and whether they are better than chance by more than two standard errors of the
    videos' mean difference.
    """
    seen = [of for of in videos if of]
    own = np.array([np.mean([one.areas for one in of], axis=0) for of in seen])
    chance = np.array([np.mean([one.by_chance for one in of], axis=0) for of in seen])
    gains = (own - chance) * [-1, 1]
    errors = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
    cells = []
    for place in (0, 1):
        gain, error = gains[:, place].mean(), errors[place]
        word = "better" if gain > 2 * error else "worse" if gain < -2 * error else "no better"
        cells.append(f"{own[:, place].mean():.3f} ({chance[:, place].mean():.3f}), {word}")
    return " | ".join(cells)


@torch.inference_mode()
def curve_areas(model: ReadyModel, view: Tensor, weights: np.ndarray, label: int) -> tuple[float, float]:
    """The areas under deletion's and insertion's curve; a blank region has the clip's mean colour."""
    ranks = torch.from_numpy(np.argsort(np.argsort(-weights.ravel(), kind="stable")).reshape(weights.shape))
    blank = view.mean(dim=(1, 2, 3), keepdim=True)
    steps = []
    for part in range(PARTS + 1):
        gone = nn.functional.interpolate(
            (ranks < round(part / PARTS * weights.size))[None, None].float(), size=view.shape[-2:]
        )[0, 0].bool()
        steps += [torch.where(gone, blank, view), torch.where(gone, view, blank)]
    found = model.network(torch.stack(steps)).softmax(dim=1)[:, label].view(-1, 2).numpy()
    deleted, inserted = (float(np.trapezoid(found[:, way]) / PARTS) for way in (0, 1))
    return deleted, inserted


if __name__ == "__main__":
    main()
