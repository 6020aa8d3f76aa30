"""Kept features at scale: 1,000 videos of 25 segments of 7×7×512 in 16 bits, written, drawn and trained from.

    uv run python -m benchmarks.feature_cache [--videos 1000] [--out runs/feature_cache]

The maps are generated. Beside the store's rates stand the disk's own, of one file of the same size written
and read from one end to the other in the same run; before each reading the kernel is told to forget the
files. The rates of decoding (a UCF101 clip, one process) and of VGG-16 are for the table of docs/scale.md.
With a CUDA device VGG-16 and the training run on it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from attcell._files import write_text
from attcell._log import track
from attcell._parallel import THREADS
from attcell.config.recipe import check_recipe
from attcell.data.datasets import Batch, PlannedViews, TrainingFeatures, collate
from attcell.data.feature_store import FeatureStore
from attcell.data.order import ShuffledVideos, TrainingOrder
from attcell.inference.run import best_device
from attcell.models.build import build_network, input_spec
from attcell.nn import STAN, build_backbone
from attcell.types import VideoRecord
from attcell.video.sampling import ViewPlan
from benchmarks.machine import data_folder, machine

SEGMENTS, CHANNELS, SIDE = 25, 512, 7
BYTES = SEGMENTS * CHANNELS * SIDE * SIDE * 2  # of a video
BATCH = 128
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("runs/feature_cache"))
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    records = [
        VideoRecord(f"{number:04d}.mp4", options.out / f"{number:04d}.mp4", (number % 101,))
        for number in range(options.videos)
    ]
    store = FeatureStore(options.out / "features", {"made by": "benchmark"}, named)
    size = BYTES * options.videos / 1e6
    rows = [
        ("disk: one file written and flushed", size / timed(lambda: write_one(options.out, size)), "MB/s"),
        (
            "store: a file a video, each flushed, one after another",
            size / timed(partial(fill, store, records, 1)),
            "MB/s",
        ),
        (
            f"store: the same by {THREADS} threads, as extraction does",
            size / timed(partial(fill, store, records, THREADS)),
            "MB/s",
        ),
        ("disk: the same file read, cold", size / timed(lambda: read_one(options.out)), "MB/s"),
    ]
    for name, workers in (("cold, 1 process", 0), ("warm, 1 process", 0), ("warm, 2 more", 2)):
        if name.startswith("cold"):
            forget(options.out)
        before = peak_memory()
        seconds = timed(partial(drawn, store, records, workers))
        grown = peak_memory() - before
        rows.append((f"drawn for training, {name}", size / seconds, f"MB/s ({grown:.0f} MB more held)"))
    rows += training_rows(store, records)
    rows += decoding_rows()
    rows.append(("VGG-16 to pool5, 224²", backbone_rate(), f"frames/s on {best_device().type}"))
    text = table(rows, options.videos, size)
    write_text(RESULTS / "feature_cache.md", text)
    print(text)
    shutil.rmtree(options.out)


def named(path: Path, frames: range | None) -> str:
    """A generated video has no content to be named by."""
    return path.stem


def write_one(out: Path, size: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    block = np.random.default_rng(0).bytes(1 << 20)
    with (out / "one.bin").open("wb") as file:
        for _ in range(round(size * 1e6 / len(block))):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def read_one(out: Path) -> None:
    forget(out)
    with (out / "one.bin").open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def fill(store: FeatureStore, records: list[VideoRecord], threads: int) -> None:
    maps = torch.rand(1, SEGMENTS, CHANNELS, SIDE, SIDE).relu().half()
    with ThreadPoolExecutor(threads) as pool:
        for _ in track(pool.map(lambda record: store.write(record, maps), records), len(records), "writing"):
            pass


def forget(out: Path) -> None:
    """Tell the kernel that the files are not wanted any more, so that they are read from the disk."""
    for path in out.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def batches(store: FeatureStore, records: list[VideoRecord], workers: int, batch: int) -> Iterator[Batch]:
    """One pass over all videos, in a random order, as training draws them."""
    order = TrainingOrder(ShuffledVideos(len(records), 0), batch, range(len(records) // batch))
    loader: Any = DataLoader(
        TrainingFeatures(records, {"frame": store}, 1, 0),
        batch_size=batch,
        sampler=order,
        num_workers=workers,
        collate_fn=collate,
    )
    yield from track(loader, len(records) // batch, "drawing")


def drawn(store: FeatureStore, records: list[VideoRecord], workers: int) -> None:
    for _ in batches(store, records, workers, min(BATCH, len(records))):
        pass


def training_rows(store: FeatureStore, records: list[VideoRecord]) -> list[tuple[str, float, str]]:
    """STAN's head by the paper (conv6 and LSTM of 1,024), and a small one, trained for a few batches."""
    rows = []
    for name, conv6, hidden in (("the paper's head", 1024, 1024), ("a small head", 64, 128)):
        recipe = check_recipe(
            {
                "data": {"train": "."},
                "model": {
                    "streams": {"frame": {"train_from": "none", "conv6_channels": conv6}},
                    "lstm_hidden": hidden,
                },
                "train": {"iterations": 1},
            },
            source="benchmark",
        )
        network = build_network(recipe, 101, load_weights=False).to(best_device()).train()
        assert isinstance(network, STAN)
        optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-3, 0.9)
        count = 2 if best_device().type == "cpu" else 50
        given = batches(store, records, 0, 16)
        learn(network, optimizer, next(given))  # warms up
        start = time.perf_counter()
        for _ in range(count):
            learn(network, optimizer, next(given))
        synchronize()
        rows.append(
            (f"training, {name}, drawing included", 16 * count / (time.perf_counter() - start), "videos/s")
        )
    return rows


def learn(network: STAN, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    device = best_device()
    out = network.attend({name: of.to(device).float() for name, of in batch.inputs.items()})
    truth = torch.tensor([own[0] for own in batch.labels], device=device)
    torch.nn.functional.cross_entropy(out.logits, truth).backward()
    optimizer.step()
    optimizer.zero_grad()


def decoding_rows() -> list[tuple[str, float, str]]:
    """A UCF101 clip to 25 frames of 224², one process."""
    folder = data_folder()
    if folder is None:
        return []
    (clip,) = (folder / "clips").glob("v_BaseballPitch*")
    recipe = check_recipe({"data": {"train": "."}, "train": {"iterations": 1}}, source="benchmark")
    videos = PlannedViews([VideoRecord("clip", clip, (0,))], input_spec(recipe), ViewPlan(SEGMENTS))
    videos[0]
    seconds = timed(lambda: [videos[0] for _ in range(20)])
    return [(f"decoding {clip.name}, {SEGMENTS} frames kept", 20 / seconds, "videos/s a process")]


@torch.inference_mode()
def backbone_rate() -> float:
    device = best_device()
    backbone = build_backbone("vgg16").eval().to(device).to(memory_format=torch.channels_last)
    pictures = torch.rand(32, 3, 224, 224, device=device).contiguous(memory_format=torch.channels_last)
    backbone(pictures)
    repeats = 2 if device.type == "cpu" else 50
    seconds = timed(lambda: [backbone(pictures) for _ in range(repeats)])
    return 32 * repeats / seconds


def timed(work: Callable[[], object]) -> float:
    synchronize()
    start = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - start


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory() -> float:
    """MB that this process has held at most, files that are memory-mapped included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def table(rows: list[tuple[str, float, str]], videos: int, size: float) -> str:
    head = (
        f"{videos} videos × {SEGMENTS} segments × {SIDE}×{SIDE}×{CHANNELS} in 16 bits, generated: "
        f"{BYTES / 1e6:.3f} MB a video, {size / 1e3:.2f} GB in all. Drawing is in random order, batches of "
        f"{BATCH}, in 16 bits. {machine()}."
    )
    lines = [f"| {name} | {value:,.1f} {unit} |" for name, value, unit in rows]
    return "\n".join([head, "", "| what | rate |", "|---|---|", *lines]) + "\n"


if __name__ == "__main__":
    main()
