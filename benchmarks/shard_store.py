"""A store for millions: the features of 100,000 videos in shards, killed and gone on with, then drawn from.

    uv run python -m benchmarks.shard_store [--videos 100000] [--out runs/shard_store]

The maps are generated: 2 positions of 8 segments of 1,280 numbers in 16 bits, 41 kB a video, 4.1 GB in all. A
process of its own writes them by the threads that extraction writes by, and is killed (SIGKILL) three times;
the last one goes on to the end. They are read by what a training draws from, in random order and in batches,
and each video is looked at. Beside it stand the disk's own rates: one file of the same size written from one
end to the other and flushed, and pieces of a video's size read of it in random order. Before each reading the
kernel is told to forget the files; a reading ends after 60 seconds if it is not done.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from attcell._files import write_text
from attcell._parallel import THREADS, Background
from attcell.data.datasets import TrainingFeatures, collate
from attcell.data.feature_store import FeatureStore
from attcell.data.order import ShuffledVideos, TrainingOrder
from attcell.types import VideoRecord
from benchmarks.feature_cache import forget
from benchmarks.machine import machine

VIEWS, SEGMENTS, WIDTH = 2, 8, 1280
BYTES = 2 * VIEWS * SEGMENTS * WIDTH  # of a video
BATCH, MOST_SECONDS = 128, 60.0
KILLED_AT = 0.2, 0.45, 0.7  # of the videos
RESULTS = Path(__file__).parent / "results"


def named(path: Path, frames: range | None) -> str:
    """A generated video is named by its number."""
    assert frames is not None
    return f"{len(frames):024d}"


def records_of(out: Path, count: int) -> list[VideoRecord]:
    """Videos that are all there: so many parts of one file."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "video"
    file.touch()
    return [VideoRecord(str(number), file, (number % 101,), frames=range(number)) for number in range(count)]


def store_in(out: Path) -> FeatureStore:
    return FeatureStore(out / "features", {"made by": "benchmark"}, named, "shards")


def maps_of(number: int, base: torch.Tensor) -> torch.Tensor:
    """Its maps, which begin and end with its number."""
    maps = base.clone()
    digits = torch.tensor([number // 2048, number % 2048]).half()
    maps.view(-1)[:2] = digits
    maps.view(-1)[-2:] = digits
    return maps


def base() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(VIEWS, SEGMENTS, WIDTH, 1, 1, generator=generator).half()


def fill(out: Path, count: int) -> None:
    """Write what lacks, and print how many are there by now."""
    store, like = store_in(out), base()
    records = records_of(out, count)
    with store.filling(), store.writing(), Background() as writing:
        lacking = [number for number, record in enumerate(records) if not store.holds(record)]
        print(f"lacks {len(lacking)}", flush=True)
        for number in lacking:
            writing.do(partial(store.write, records[number], maps_of(number, like)), number)
            for _ in writing.done():
                print("written", flush=True)
        writing.wait()
        for _ in writing.done():
            print("written", flush=True)


def filled(out: Path, count: int) -> list[str]:
    """Fill the store in processes that are killed, and say what came of each."""
    told = []
    for share in (*KILLED_AT, 2.0):
        before = there(out)
        words = [sys.executable, "-m", "benchmarks.shard_store", "--fill", "--out", str(out)]
        start, reported = time.perf_counter(), 0
        with subprocess.Popen([*words, "--videos", str(count)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lacked = int(process.stdout.readline().split()[1])
            began = time.perf_counter()
            for _ in process.stdout:
                reported += 1
                if before + reported >= share * count:
                    process.send_signal(signal.SIGKILL)
        ended = time.perf_counter()
        now = there(out)
        rate = (now - before) * BYTES / 1e6 / (ended - began)
        how = "ends by itself" if process.returncode == 0 else "killed"
        told.append(
            f"| {how}: lacked {lacked:,}, had said {reported:,} written, {now - before:,} more are there "
            f"| {began - start:.1f} s until the first, {rate:,.0f} MB/s |"
        )
    return told


def there(out: Path) -> int:
    """The videos that all shards hold, each as often as it is there."""
    from attcell.data.shards import _rows_of

    return sum(len(_rows_of(shard)) - 1 for shard in out.glob("features/*/*.tar"))


def batches(store: FeatureStore, records: list[VideoRecord]) -> Iterator[Any]:
    order = TrainingOrder(ShuffledVideos(len(records), 0), BATCH, range(len(records) // BATCH))
    features = TrainingFeatures(records, {"frame": store}, VIEWS, 0)
    return iter(DataLoader(features, BATCH, sampler=order, collate_fn=collate, num_workers=0))


def drawn(store: FeatureStore, records: list[VideoRecord]) -> tuple[int, float, float]:
    """How many videos a training draws in random order, in how many seconds, and of how many on a core."""
    start, began, count = time.perf_counter(), time.process_time(), 0
    for batch in batches(store, records):
        count += len(batch.labels)
        if time.perf_counter() - start > MOST_SECONDS:
            break
    return count, time.perf_counter() - start, time.process_time() - began


def looked_at(store: FeatureStore, records: list[VideoRecord]) -> None:
    """Each video is what was written."""
    like = base().view(-1)
    for number, record in enumerate(records):
        maps = store.read(record)[0].view(-1)
        digits = torch.tensor([number // 2048, number % 2048]).half()
        if not (
            torch.equal(maps[:2], digits)
            and torch.equal(maps[-2:], digits)
            and torch.equal(maps[2:-2], like[2:-2])
        ):
            raise SystemExit(f"video {number} is not what was written")


def write_one(path: Path, size: int) -> float:
    """MB/s of one file, flushed."""
    start, block = time.perf_counter(), np.random.default_rng(0).bytes(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size / 1e6 / (time.perf_counter() - start)


def read_pieces(path: Path, count: int) -> float:
    """MB/s of pieces of a video's size, in random order."""
    places = np.random.default_rng(1).permutation(path.stat().st_size // BYTES)[:count]
    start, done = time.perf_counter(), 0
    descriptor = os.open(path, os.O_RDONLY)
    for place in places.tolist():
        done += len(os.pread(descriptor, BYTES, place * BYTES))
        if time.perf_counter() - start > MOST_SECONDS:
            break
    os.close(descriptor)
    return done / 1e6 / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("runs/shard_store"))
    parser.add_argument("--fill", action="store_true")
    options = parser.parse_args()
    out, count = options.out, options.videos
    if options.fill:
        fill(out, count)
        return
    shutil.rmtree(out, ignore_errors=True)
    records = records_of(out, count)
    one = out / "one.bin"
    rows = [f"| the disk: one file written and flushed | {write_one(one, count * BYTES):,.0f} MB/s |"]
    rows += filled(out, count)
    shards = list(out.glob("features/*/*.tar"))
    names = there(out)
    start = time.perf_counter()
    store = store_in(out)
    store.holds(records[0])
    rows.append(f"| opened: {len(shards)} shards, {names:,} videos | {time.perf_counter() - start:.2f} s |")
    forget(out)
    rows.append(f"| the disk: pieces of 41 kB in random order, cold | {read_pieces(one, count):,.0f} MB/s |")
    one.unlink()
    forget(out)
    for state in ("cold", "again"):
        number, seconds, worked = drawn(store, records)
        rows.append(
            f"| drawn by a training in random order, {state}: {number:,} videos | "
            f"{number * BYTES / 1e6 / seconds:,.0f} MB/s, {number / seconds:,.0f} videos/s "
            f"({1e6 * worked / number:.0f} µs of a core each) |"
        )
    start = time.perf_counter()
    looked_at(store_in(out), records)
    rows.append(f"| each of {count:,} videos is what was written | {time.perf_counter() - start:.0f} s |")
    if names != count:
        raise SystemExit(f"{names} videos are there, not {count}: some were written twice")
    text = table(rows, count)
    write_text(RESULTS / "shard_store.md", text)
    print(text)
    shutil.rmtree(out)


def table(rows: list[str], count: int) -> str:
    head = (
        f"{count:,} videos × {VIEWS} positions × {SEGMENTS} segments × {WIDTH:,} in 16 bits, generated: "
        f"{BYTES / 1e3:.0f} kB a video, {count * BYTES / 1e9:.2f} GB in all, written by {THREADS} threads. "
        f"Rates are of whole videos; of each a training takes one position a segment. {machine()}; "
        f"what else it did meanwhile kept {os.getloadavg()[2]:.0f} processes busy."
    )
    return "\n".join([head, "", "| what | rate |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    main()
