"""Do a ready model's maps say what the network uses? Deletion and insertion beside chance.

    uv run python -m benchmarks.ready_maps [--steps 200] [--videos 16] [--seed 0]

Published weights know nothing of generated videos, so two small networks learn their classes first:
a 3-D CNN, whose maps are Grad-CAM's, and a VideoMAE (extra transformers), whose maps are those of attention
rollout. Both then answer as any ready model does, and the maps are those that ``predict`` gives.

Deletion (Petsiuk et al. 2018) blanks the regions of a clip, those of the largest weight first, in all of its
frames; insertion begins with a blank clip. The area is that under the probability of the class that was
predicted: low is good for deletion, high for insertion. Beside it stand orders drawn at random, three for
each clip. Where the largest weight lies in a box of the actor the map points right; chance is the share of
the boxes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from attcell.data.truth import generated_boxes
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

SIDE, LENGTH, RATE = 56, 8, 6.0
PLAIN = Preprocessing((SIDE,), (SIDE, SIDE), (0.45,) * 3, (0.225,) * 3)
PARTS, DRAWS = 10, 3


def main() -> None:
    """Train, and print a line for each network."""
    parser = argparse.ArgumentParser(description="Deletion and insertion of ready models' maps.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--videos", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        parts = {"train": 20, "test": max(1, given.videos // 4)}
        data = write_dataset(root / "set", seed=17 + given.seed, num_classes=4, videos=parts)
        labels = tuple(sorted(path.name for path in (data / "train").iterdir()))
        clips, classes = training_clips(data, labels)
        print(f"{'network':12}{'right':>8}  deletion (random)  insertion (random)  points right (chance)")
        for name, make in {"3-D CNN": cnn, "VideoMAE": mae}.items():
            torch.manual_seed(given.seed)
            try:
                network, ready = make(labels, root)
            except CallError as error:
                print(f"{name:12}left out: {error}")
                continue
            fitted(network, clips, classes, given)
            report(name, ReadyModel(ready(network.eval())), data, labels)


def training_clips(data: Path, labels: tuple[str, ...]) -> tuple[list[Tensor], Tensor]:
    """Each video's frames (N, 3, 56, 56) uint8, and its class."""
    videos = sorted((data / "train").rglob("*.mp4"))
    frames = [
        torch.stack([PLAIN.prepare(image) for image in read_frames(video, np.arange).images])
        for video in videos
    ]
    return frames, torch.tensor([labels.index(video.parent.name) for video in videos])


def fitted(network: nn.Module, videos: list[Tensor], classes: Tensor, given: argparse.Namespace) -> None:
    """Train the network on random clips, half of them mirrored."""
    rng = np.random.default_rng(given.seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=given.steps)
    network.train()
    for _ in range(given.steps):
        chosen = rng.integers(len(videos), size=16)
        views = []
        for index in chosen:
            start = rng.integers(len(videos[index]) - 2 * LENGTH + 1)
            (view,) = PLAIN.views(list(videos[index][start : start + 2 * LENGTH : 2]), 1)
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
    clip = ClipProtocol(LENGTH, RATE, 2, "as it was trained")
    return network, lambda fitted: ReadyNetwork("small-cnn", fitted, labels, PLAIN, clip, evidence)


def mae(labels: tuple[str, ...], root: Path) -> tuple[nn.Module, Ready]:
    """A VideoMAE of 4 blocks, which is saved as transformers does, and loaded by its folder."""
    try:
        import transformers
    except ImportError as error:
        raise CallError("transformers is not installed") from error
    config = transformers.VideoMAEConfig(
        image_size=SIDE, patch_size=8, num_frames=LENGTH, tubelet_size=2, hidden_size=64, num_hidden_layers=4,
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
        return hub_network(str(root / "mae"))

    return Whole(), ready


def report(name: str, model: ReadyModel, data: Path, labels: tuple[str, ...]) -> None:
    """Print a network's line."""
    rng = np.random.default_rng(0)
    boxes = generated_boxes(read_truth(data))
    right, tracks = [], []
    areas: dict[str, list[float]] = {"deletion": [], "insertion": [], "random 0": [], "random 1": []}
    for video in sorted((data / "test").rglob("*.mp4")):
        found = model.predict(video, pictures=False)
        label = int(found.scores.argmax())
        right.append(labels[label] == video.parent.name)
        tracks.append((found.segments, boxes[video.relative_to(data).as_posix()]))
        for view, weights in zip(views_of(model, video), found.spatial_attention[STREAM], strict=True):
            orders = [weights, *(rng.random(weights.shape) for _ in range(DRAWS))]
            both = np.array([curve_areas(model, view, of, label) for of in orders])
            areas["deletion"].append(both[0, 0])
            areas["insertion"].append(both[0, 1])
            for place in (0, 1):
                areas[f"random {place}"].append(float(both[1:, place].mean()))
    pointing = attention_metrics(tracks, STREAM)
    deletion, insertion = (float(np.mean(areas[way])) for way in ("deletion", "insertion"))
    by_chance = [float(np.mean(areas[f"random {place}"])) for place in (0, 1)]
    print(
        f"{name:12}{100 * np.mean(right):6.1f} %  {deletion:8.3f} ({by_chance[0]:.3f})  "
        f"{insertion:9.3f} ({by_chance[1]:.3f})  {100 * pointing.pointing:11.1f} % "
        f"({100 * pointing.pointing_chance:.1f} %)",
        flush=True,
    )


def views_of(model: ReadyModel, video: Path) -> list[Tensor]:
    """The clips (3, L, H, W) that a prediction looked at."""
    clip, preprocessing = model.ready.clip, model.ready.preprocessing
    plan = ClipPlan(clip.num_frames, clip.rate, clip.num_clips)
    return [preprocessing.views(one.frames, 1)[0] for one in Clips(video, plan, preprocessing.prepare)]


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
