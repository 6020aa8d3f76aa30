"""``attcell detect`` on 1, 10 and 60 minutes of 320×240 video: peak memory, and where the time goes.

    uv run python -m benchmarks.long_video [--out DIR] [--minutes 1 10 60]

A STAN of one frame stream, SqueezeNet with its ImageNet weights and 101 classes, a sample every 5 frames.
The videos are UCF101 clips one after another, over and over, as H.264 of 25 frames a second. Each length runs
in a process of its own, which tells its peak memory. The bare network is the same backbone on ready pictures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import torch

from attcell._files import write_text, written_whole
from attcell._log import logger, track
from attcell.config.recipe import check_recipe
from attcell.inference import detect as detecting
from attcell.inference import streaming
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.model import Model
from attcell.inference.predict import predict_video
from attcell.models.build import build_network
from attcell.nn.streaming import STANStreamer
from attcell.nn.streams import feature_maps
from attcell.report.page.page import write_report
from attcell.types import Prediction
from attcell.video.decode import read_frames
from attcell.video.parts import DenseSampling
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
RATE, SIZE, EVERY, CLASSES = 25, (320, 240), 5, 101
LONGEST_PAGE = 10  # minutes; the page of an hour takes longer to write than the hour to watch
CLIPS = ("v_BaseballPitch_g01_c01.avi", "v_BasketballDunk_g17_c03.avi")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/long_video"))
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--one", type=Path, help="used by the benchmark itself")
    parser.add_argument("--predict", type=Path, help="used by the benchmark itself")
    options = parser.parse_args()
    model = options.out / "model"
    if options.one is not None:
        with_page = int(options.one.stem) <= LONGEST_PAGE
        print(json.dumps(run_one(options.one, model, with_page=with_page)))
        return
    if options.predict is not None:
        print(json.dumps(run_predict(options.predict, model)))
        return
    if not model.exists():
        write_model(model)
    rows = []
    for minutes in options.minutes:
        video = write_video(options.out / f"{minutes}.mp4", minutes)
        rows.append({"minutes": minutes, **_alone("--one", video, options.out)})
        rows[-1] |= _alone("--predict", video, options.out)
        logger.info(str(rows[-1]))
    text = table(rows)
    write_text(RESULTS / "long_video.md", text)
    print(text)


def _alone(what: str, video: Path, out: Path) -> dict[str, Any]:
    """Run in a process of its own, for its peak memory."""
    command = [sys.executable, "-m", "benchmarks.long_video", "--out", str(out), what, str(video)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _data() -> Path:
    folder = data_folder()
    assert folder is not None, "the real clips are there: $ATTCELL_DATA"
    return folder


def write_model(folder: Path) -> None:
    """A network whose heads are drawn at random: what it says does not matter here."""
    weights = _data() / "squeezenet1_0_imagenet.safetensors"
    stream = {"backbone": "squeezenet", "weights": str(weights), "train_from": "none"}
    values = {
        "data": {"train": "videos"},
        "input": {"size": 224, "short_side": 256},
        "model": {"kind": "stan", "streams": {"frame": stream}},
        "train": {"iterations": 1},
    }
    recipe = check_recipe(values, source="benchmark")
    torch.manual_seed(0)
    network = build_network(recipe, CLASSES, load_weights=True)
    Model(network, tuple(f"class {n}" for n in range(CLASSES)), recipe).save_pretrained(folder)


def write_video(path: Path, minutes: int) -> Path:
    """The clips over and over."""
    if path.exists():
        return path
    clips = [read_frames(_data() / "clips" / name, np.arange).images for name in CLIPS]
    frames = [image for images in clips for image in images]
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "26"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in track(range(minutes * 60 * RATE), minutes * 60 * RATE, f"writing {path.name}"):
            frame = av.VideoFrame.from_ndarray(frames[number % len(frames)], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run_one(video: Path, model: Path, *, with_page: bool) -> dict[str, Any]:
    """Detect, with the seconds of each stage; then write the page, if that is wanted."""
    saved = Model.from_folder(model)
    spent: dict[str, list[float]] = {
        "network": [],
        "attention and classes": [],
        "resizing": [],
        "decoding": [],
    }
    step = STANStreamer.step_encoded
    each = DenseSampling.__iter__
    start = time.perf_counter()
    with (
        mock.patch.object(streaming, "encode_part", _timed(spent["network"], streaming.encode_part)),
        mock.patch.object(streaming, "resize_frames", _timed(spent["resizing"], streaming.resize_frames)),
        mock.patch.object(STANStreamer, "step_encoded", _timed(spent["attention and classes"], step)),
        mock.patch.object(DenseSampling, "__iter__", _timed_steps(spent["decoding"], each)),
    ):
        found = detecting.detect_video(saved, video, RuleChoice(), EVERY)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert found.track is not None
    row = {
        "seconds": seconds,
        "peak": peak,
        "samples": len(found.track.seconds),
        "stages": {name: sum(times) for name, times in spent.items()},
        "bare": bare_network(saved.network.stream("frame"), len(found.track.seconds)),
    }
    return row | (written_page(found, video.with_suffix(".html")) if with_page else {})


def written_page(found: Prediction, file: Path) -> dict[str, Any]:
    """Seconds and bytes of the page, and the process's peak memory after it."""
    start = time.perf_counter()
    write_report([found], file)
    return {
        "page_seconds": time.perf_counter() - start,
        "page_bytes": file.stat().st_size,
        "page_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run_predict(video: Path, model: Path) -> dict[str, Any]:
    """Predict, which takes 25 segments whatever the length."""
    saved = Model.from_folder(model)
    start = time.perf_counter()
    predict_video(saved, video)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"predict_seconds": seconds, "predict_peak": peak}


def bare_network(stream: Any, num_samples: int) -> float:
    """Seconds of the same backbone on so many ready pictures, by a part of them."""
    pictures = torch.randint(0, 256, (1, streaming.SAMPLES_AT_ONCE, 3, 224, 224), dtype=torch.uint8)
    rounds = 20
    feature_maps(stream, pictures, torch.device("cpu"))
    start = time.perf_counter()
    for _ in range(rounds):
        feature_maps(stream, pictures, torch.device("cpu"))
    return (time.perf_counter() - start) / rounds / streaming.SAMPLES_AT_ONCE * num_samples


def _timed(spent: list[float], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **more)
        finally:
            spent.append(time.perf_counter() - start)

    return call


def _timed_steps(spent: list[float], iterate: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The seconds until each item comes."""

    def steps(sampled_frames: DenseSampling) -> Iterator[Any]:
        items = iterate(sampled_frames)
        while True:
            start = time.perf_counter()
            item = next(items, None)
            spent.append(time.perf_counter() - start)
            if item is None:
                return
            yield item

    return steps


def _page(row: dict[str, Any]) -> str:
    if "page_seconds" not in row:
        return "not written"
    return f"{row['page_seconds']:.0f}, {row['page_bytes'] / 1e6:.1f}, {row['page_peak']:.0f}"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    names = list(rows[0]["stages"])
    lines = [
        f"`attcell detect` on {SIZE[0]}×{SIZE[1]} H.264 of {RATE} frames a second, a sample every {EVERY}: "
        f"STAN of a SqueezeNet frame stream at 224×224, {CLASSES} classes. Peak memory is that of the whole "
        f"process. {machine()}.",
        "",
        "| minutes | samples | peak memory MiB | seconds | "
        + " | ".join(names)
        + " | other | not network | bare network | page: s, MB, peak MiB | predict: s, peak MiB |",
        "|---" * (len(names) + 9) + "|",
    ]
    for row in rows:
        stages = row["stages"]
        other = row["seconds"] - sum(stages.values())
        outside = 1 - (stages["network"] + stages["attention and classes"]) / row["seconds"]
        cells = [
            str(row["minutes"]),
            f"{row['samples']:,}",
            f"{row['peak']:.0f}",
            f"{row['seconds']:.0f}",
            *(f"{stages[name]:.1f}" for name in names),
            f"{other:.1f}",
            f"{100 * outside:.1f} %",
            f"{row['bare']:.0f}",
            _page(row),
            f"{row['predict_seconds']:.0f}, {row['predict_peak']:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    first = rows[0]["peak"]
    lines += [
        "",
        "Peak memory against the first: "
        + ", ".join(f"{row['peak'] / first - 1:+.1%}" for row in rows)
        + ".",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
