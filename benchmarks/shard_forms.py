"""In which form the kept features of very many videos lie best: tar, Lance, Parquet, a file a video.

    uv run --with pylance --with pyarrow python -m benchmarks.shard_forms [--videos 8000]

The maps are generated: 16 segments of 1,280 numbers in 16 bits, 40 kB a video. Each form is written as an
extraction would, one video after another: tar and files one at a time; Lance 64 videos an append, each a
version of its table; Parquet files of 512 videos in row groups of 64, which can be read when their end is
written. In Lance and Parquet a segment is a row, as they read by rows. Cold: the kernel was told to forget
the files. At the end a process that writes is killed (SIGKILL) halfway, and what it had reported as written
is looked for.
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
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from attcell._files import write_text
from attcell.data.feature_store import FeatureStore
from attcell.types import VideoRecord
from benchmarks.feature_cache import forget, timed
from benchmarks.machine import machine

SEGMENTS, WIDTH = 16, 1280
AT_ONCE, A_FILE = 64, 512  # videos
RESULTS = Path(__file__).parent / "results"


class Form(Protocol):
    """How maps are kept. A video is (SEGMENTS, WIDTH) in 16 bits."""

    def write(self, videos: Iterator[tuple[int, np.ndarray]]) -> Iterator[int]:
        """Keep them, and give the number of each that is on the disk."""

    def open(self) -> int:
        """How many there are."""

    def video(self, number: int) -> np.ndarray:
        """One of them."""

    def segment(self, number: int, segment: int) -> np.ndarray:
        """One of its segments."""

    def all(self) -> Iterator[np.ndarray]:
        """All of them, as they lie."""


class Ours:
    """A store of attcell."""

    def __init__(self, folder: Path, form: Any) -> None:
        self._store = FeatureStore(folder, {"by": "benchmark"}, lambda path, _: path.stem, form)
        self._there = folder.parent
        self._order: list[int] = []

    def _record(self, number: int) -> VideoRecord:
        return VideoRecord(str(number), self._there / f"{number:024d}", (0,))

    def write(self, videos: Iterator[tuple[int, np.ndarray]]) -> Iterator[int]:
        with self._store.filling(), self._store.writing():
            for number, rows in videos:
                self._store.write(self._record(number), torch.from_numpy(rows).view(1, SEGMENTS, WIDTH, 1, 1))
                yield number

    def open(self) -> int:
        names = (f"{number:024d}" for number in range(10**6))
        return sum(1 for _ in iter(lambda: self._store._kept.has(next(names)), False))

    def video(self, number: int) -> np.ndarray:
        return self._store.read(self._record(number))[0].numpy().reshape(SEGMENTS, WIDTH).copy()

    def segment(self, number: int, segment: int) -> np.ndarray:
        return self._store.read(self._record(number))[0][0, segment].numpy().reshape(1, WIDTH).copy()

    def all(self) -> Iterator[np.ndarray]:
        for number in range(self.open()):
            yield self.video(number)


class Lance:
    def __init__(self, folder: Path) -> None:
        self._place = str(folder / "table.lance")

    def write(self, videos: Iterator[tuple[int, np.ndarray]]) -> Iterator[int]:
        import lance

        for numbers, table in tables(videos, AT_ONCE):
            lance.write_dataset(table, self._place, mode="append" if Path(self._place).exists() else "create")
            yield from numbers

    def open(self) -> int:
        import lance

        self._table = lance.dataset(self._place)
        return int(self._table.count_rows()) // SEGMENTS

    def video(self, number: int) -> np.ndarray:
        first = number * SEGMENTS
        return as_rows(self._table.take(list(range(first, first + SEGMENTS)), columns=["maps"]))

    def segment(self, number: int, segment: int) -> np.ndarray:
        return as_rows(self._table.take([number * SEGMENTS + segment], columns=["maps"]))

    def all(self) -> Iterator[np.ndarray]:
        for batch in self._table.to_batches(columns=["maps"], batch_size=SEGMENTS * AT_ONCE):
            yield as_rows(batch)


class Parquet:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, videos: Iterator[tuple[int, np.ndarray]]) -> Iterator[int]:
        import pyarrow.parquet as pq

        self._folder.mkdir(parents=True, exist_ok=True)
        writer, waiting = None, []
        for numbers, table in tables(videos, AT_ONCE):
            if writer is None:
                path = self._folder / f"{numbers[0]:08d}.parquet"
                writer = pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
            writer.write_table(table, row_group_size=AT_ONCE * SEGMENTS)
            waiting += numbers
            if len(waiting) >= A_FILE:
                writer.close()
                yield from waiting
                writer, waiting = None, []
        if writer is not None:
            writer.close()
            yield from waiting

    def open(self) -> int:
        import pyarrow.parquet as pq

        self._files = []
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                self._files.append(pq.ParquetFile(path, memory_map=True))
            except Exception:  # without its end it is none
                path.unlink()
        return sum(file.metadata.num_rows for file in self._files) // SEGMENTS

    def video(self, number: int) -> np.ndarray:
        file, place = divmod(number, A_FILE)
        group, row = divmod(place, AT_ONCE)
        table = self._files[file].read_row_group(group, columns=["maps"])
        return as_rows(table.slice(row * SEGMENTS, SEGMENTS))

    def segment(self, number: int, segment: int) -> np.ndarray:
        return self.video(number)[segment : segment + 1]

    def all(self) -> Iterator[np.ndarray]:
        for file in self._files:
            for group in range(file.num_row_groups):
                yield as_rows(file.read_row_group(group, columns=["maps"]))


def tables(videos: Iterator[tuple[int, np.ndarray]], at_once: int) -> Iterator[tuple[list[int], Any]]:
    """Arrow tables of so many videos each, a row a segment."""
    import pyarrow as pa

    numbers: list[int] = []
    rows: list[np.ndarray] = []

    def table() -> Any:
        values = pa.array(np.concatenate(rows).reshape(-1))
        names = pa.array(np.repeat([f"{number:024d}" for number in numbers], SEGMENTS))
        segments = pa.array(np.tile(np.arange(SEGMENTS, dtype=np.int32), len(numbers)))
        maps = pa.FixedSizeListArray.from_arrays(values, WIDTH)
        return pa.table({"video": names, "segment": segments, "maps": maps})

    for number, of in videos:
        numbers.append(number)
        rows.append(of)
        if len(numbers) == at_once:
            yield numbers, table()
            numbers, rows = [], []
    if numbers:
        yield numbers, table()


def as_rows(table: Any) -> np.ndarray:
    column = table.column("maps")
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, WIDTH)


def form_named(name: str, folder: Path) -> Form:
    if name in ("shards", "files"):
        return Ours(folder, name)
    return Lance(folder) if name == "lance" else Parquet(folder)


def made(videos: int) -> Iterator[tuple[int, np.ndarray]]:
    """Generated maps, of which no two are alike."""
    rows = np.random.default_rng(0).random((SEGMENTS, WIDTH), np.float32).astype(np.float16)
    for number in range(videos):
        rows[0, :2] = number // 1000, number % 1000
        yield number, rows.copy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=8000)
    parser.add_argument("--out", type=Path, default=Path("runs/shard_forms"))
    parser.add_argument("--write", metavar="FORM")
    options = parser.parse_args()
    if options.write:
        for number in form_named(options.write, options.out).write(made(options.videos)):
            print(number, flush=True)
        return
    shutil.rmtree(options.out, ignore_errors=True)
    names = {
        "shards": "tar (attcell's shards)",
        "lance": "Lance",
        "parquet": "Parquet",
        "files": "a file a video",
    }
    columns = {names[form]: figures(form, options.out / form, options.videos) for form in names}
    text = table_of(columns, options.videos)
    write_text(RESULTS / "shard_forms.md", text)
    print(text)
    shutil.rmtree(options.out)


def figures(name: str, out: Path, videos: int) -> dict[str, str]:
    form, megabytes = form_named(name, out), videos * SEGMENTS * WIDTH * 2 / 1e6
    found = {}
    seconds = timed(lambda: written(form, videos))
    found["written and flushed, MB/s"] = f"{megabytes / seconds:,.0f}"
    files = [path for path in out.rglob("*") if path.is_file()]
    found["files"] = f"{len(files):,}"
    size = sum(path.stat().st_size for path in files) / 1e6
    found["on disk, beside the numbers' own size"] = f"{size / megabytes:.3f} x"
    form = form_named(name, out)
    found["opened: how many are there, s"] = f"{timed(lambda: check(form.open() == videos)):.2f}"
    numbers = np.random.default_rng(1).permutation(videos)
    few, many = numbers[:400], numbers[:2000]
    for state in ("cold", "warm"):
        if state == "cold":
            forget(out)
        some = few if state == "cold" else many
        seconds = timed(partial(read, form, some))
        found[f"random videos, {state}, a second"] = f"{len(some) / seconds:,.0f}"
    if name != "files":
        forget(out)
    seconds = timed(lambda: [form.segment(n, n % SEGMENTS) for n in numbers[-400:]])
    found["random segments, cold, a second"] = f"{400 / seconds:,.0f}"
    forget(out)
    seconds = timed(lambda: sum(len(rows) for rows in form.all()))
    found["all, cold, as they lie, MB/s"] = f"{megabytes / seconds:,.0f}"
    shutil.rmtree(out)
    reported, there, seconds = killed(name, out, videos)
    found["killed halfway: reported written, there"] = f"{reported:,}, {there:,}"
    found["until it can go on, s"] = f"{seconds:.2f}"
    packages = {"lance": ("pylance", "pyarrow"), "parquet": ("pyarrow",)}.get(name, ())
    found["further packages, MB"] = f"{sum(map(installed_size, packages)):.0f}"
    return found


def written(form: Form, videos: int) -> None:
    for _ in form.write(made(videos)):
        pass
    os.sync()


def read(form: Form, numbers: np.ndarray) -> None:
    for number in numbers.tolist():
        check_video(form.video(number), number)


def check(is_right: bool) -> None:
    if not is_right:
        raise SystemExit("the benchmark has a fault")


def check_video(rows: np.ndarray, number: int) -> None:
    check(rows.shape == (SEGMENTS, WIDTH) and rows[0, :2].tolist() == [number // 1000, number % 1000])


def killed(name: str, out: Path, videos: int) -> tuple[int, int, float]:
    """Videos that a process had said were written, those that are there, and the seconds to know it."""
    words = [sys.executable, "-m", "benchmarks.shard_forms", "--write", name, "--out", str(out)]
    reported = 0
    with subprocess.Popen([*words, "--videos", str(videos)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in process.stdout:
            reported += 1
            if reported == videos // 2 + 17:
                process.send_signal(signal.SIGKILL)
    start = time.perf_counter()
    there = form_named(name, out).open()
    return reported, there, time.perf_counter() - start


def installed_size(package: str) -> float:
    """MB on disk."""
    found = distribution(package)
    return sum(Path(str(found.locate_file(file))).stat().st_size for file in found.files or []) / 1e6


def table_of(columns: dict[str, dict[str, str]], videos: int) -> str:
    head = (
        f"{videos:,} videos × {SEGMENTS} segments × {WIDTH:,} in 16 bits, generated: "
        f"{SEGMENTS * WIDTH * 2 / 1e3:.0f} kB a video, {videos * SEGMENTS * WIDTH * 2 / 1e9:.2f} GB in all, "
        f"one process. {versions()}. {machine()}."
    )
    rows = [
        f"| {what} | " + " | ".join(column[what] for column in columns.values()) + " |"
        for what in next(iter(columns.values()))
    ]
    return (
        "\n".join([head, "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows]) + "\n"
    )


def versions() -> str:
    return ", ".join(f"{name} {distribution(name).version}" for name in ("pylance", "pyarrow"))


if __name__ == "__main__":
    main()
