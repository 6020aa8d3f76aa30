"""What a training does before its first iteration, on 2,000 short videos: the first start and the second.

    uv run python -m benchmarks.start_many [--out DIR] [--videos 2000]

One generated clip of 50 frames of 160×120, copied under as many names in 20 classes, and its flow in a store.
*Opening* is whether every video can be opened, *flow* whether every video's flow is in the store, whole, and
its own. *One after another* is both without threads and without a memory, with all packets of a video read. A
start is ``prepare`` of a small network of frames, or of frames and flow, with an empty memory first. The
files lie in the system's cache, so that no disk is measured. The ways take turns; a figure is
the least, in seconds on the clock and, behind it, of the processor.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import av
import numpy as np

from attcell._files import write_text, written_whole
from attcell.config.recipe import Recipe, check_recipe
from attcell.data import remembered
from attcell.data.feature_store import content_digest
from attcell.data.sources import read_source
from attcell.inference.extract import refuse_unopened
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.stored_flow import refuse_unfit_flow
from attcell.models.build import input_spec
from attcell.training.prepare import prepare
from attcell.types import VideoRecord
from attcell.video._passes import promised_frames
from attcell.video.flow_source import check_store
from attcell.video.optical_flow import FlowSpec
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
SIZE, NUM_FRAMES, CLASSES = (160, 120), 50, 20
SMALL = {"backbone": "small", "weights": "none", "conv6_channels": 4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/start_many"))
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    videos, store = write_videos(options.out, options.videos)
    records = read_source(videos).records
    time.sleep(remembered.SETTLED_SECONDS + 0.5)  # what changed a moment ago is not remembered
    lines = [
        f"# What a training does before its first iteration, on {len(records):,} short videos",
        "",
        f"{NUM_FRAMES} frames of {SIZE[0]}×{SIZE[1]}, copies of one clip; the least of {options.repeats} "
        f"turns; {machine()}; load {os.getloadavg()[0]:.1f} at the beginning.",
        "",
        "| what | one after another | first time | second time | one after another ÷ first | "
        "first ÷ second |",
        "|---|---|---|---|---|---|",
    ]
    frames, flow = recipe_of(videos, None), recipe_of(videos, store)
    parts: list[tuple[str, Callable[[], Any] | None, Callable[[], Any]]] = [
        ("opening", partial(open_each, records), partial(refuse_unopened, records)),
        ("flow", partial(check_each, flow, records), partial(refuse_unfit_flow, flow, records)),
        ("the whole start, frames", None, partial(start, frames)),
        ("the whole start, frames and flow from the store", None, partial(start, flow)),
    ]
    for name, one_after_another, work in parts:
        lines.append(row(name, one_after_another, work, options.repeats))
        print(lines[-1])
    text = "\n".join([*lines, ""])
    write_text(RESULTS / "start_many.md", text)
    print(text)


def write_videos(out: Path, num_videos: int) -> tuple[Path, Path]:
    """The folders of the videos and of their flow."""
    videos, store, clip = out / "videos", out / "flow", out / "clip" / "one" / "clip.mp4"
    if not clip.exists():
        write_clip(clip)
        extract_flow(read_source(out / "clip"), out / "one", FlowSpec("fast"), layout=Layout(frames=False))
    for number in range(num_videos):
        name = f"class{number % CLASSES:02d}/{number:05d}"
        video, flow = (videos / name).with_suffix(".mp4"), store / name
        if not flow.exists():
            video.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, video)
            shutil.copytree(out / "one" / "one" / "clip", flow, copy_function=os.link)
    return videos, store


def write_clip(path: Path) -> None:
    """A texture that moves."""
    width, height = SIZE
    scene = np.random.default_rng(0).integers(0, 256, (height // 8 + 20, width // 8 + 20, 3), dtype=np.uint8)
    scene = scene.repeat(8, 0).repeat(8, 1)
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(NUM_FRAMES):
            picture = np.ascontiguousarray(scene[number : number + height, 2 * number :][:, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def recipe_of(videos: Path, store: Path | None) -> Recipe:
    """A small network of frames; and of flow from a store, where there is one."""
    streams = {"frame": SMALL} if store is None else {"frame": SMALL, "flow": SMALL}
    values = {
        "data": {"train": str(videos)},
        "input": {"size": 32, "short_side": 36},
        "flow": {"store": None if store is None else str(store)},
        "model": {"streams": streams, "lstm_hidden": 8},
        "train": {"iterations": 1, "accelerator": "cpu"},
    }
    return check_recipe(values, source="benchmark")


def open_each(records: Sequence[VideoRecord]) -> None:
    for record in records:
        promised_frames(record.path)


def check_each(recipe: Recipe, records: Sequence[VideoRecord]) -> None:
    flow = input_spec(recipe).flow
    for record in records:
        check_store(flow, record.path, partial(content_digest, record.path))


def start(recipe: Recipe) -> None:
    with TemporaryDirectory() as folder:
        prepare(recipe, Path(folder) / "run")


def row(name: str, one_after_another: Callable[[], Any] | None, work: Callable[[], Any], repeats: int) -> str:
    """One line of the table."""
    seconds: list[list[Spent]] = [[], [], []]
    for _ in range(repeats):
        if one_after_another is not None:
            seconds[0].append(timed(one_after_another))
        with TemporaryDirectory() as memory:
            os.environ["ATTCELL_CACHE"] = memory
            seconds[1].append(timed(work))
            seconds[2].append(timed(work))
    least = [Spent(*map(min, zip(*some, strict=True))) if some else None for some in seconds]
    cells = [name, *("" if spent is None else f"{spent.clock:.2f}, {spent.processor:.2f}" for spent in least)]
    cells += [_ratio(least[0], least[1]), _ratio(least[1], least[2])]
    return "| " + " | ".join(cells) + " |"


class Spent(NamedTuple):
    """Seconds on the clock, and of the processor."""

    clock: float
    processor: float


def _ratio(one: Spent | None, other: Spent | None) -> str:
    if one is None or other is None:
        return ""
    return f"{one.clock / other.clock:.1f}, {one.processor / other.processor:.1f}"


def timed(work: Callable[[], Any]) -> Spent:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


if __name__ == "__main__":
    main()
