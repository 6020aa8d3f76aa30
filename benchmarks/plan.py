"""What ``attcell plan`` forecasts of UCF101's official list, beside what 200 of its videos then take.

    uv run python -m benchmarks.plan

Generated videos get the names of 200 entries of the official list: AVI files of 320×240 and 107 to 180 frames
of a moving texture. ``attcell plan`` reads the whole list, measures a few of them, and forecasts all; what it
found for one is multiplied by the numbers of the 200. Then the commands themselves run on the 200, one after
another, each a process of its own: extract flow, extract features (of training, then of validation videos),
train, test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from attcell._files import write_text
from attcell.config.loading import load_recipe
from attcell.data.known_sets import read_known_set
from attcell.models.listings import part_listing, read_listings
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
NUM_CLASSES, NUM_TRAIN, NUM_TEST = 20, 130, 70  # of the first classes: of each some groups validate
WIDTH, HEIGHT, RATE = 320, 240, 25
SHORTEST, LONGEST = 107, 180  # frames
ITERATIONS = 120
SETTLED = (
    65  # seconds; ext4 makes files slowly while it knows of many that were just removed, as the plan's are
)

RECIPE: dict[str, Any] = {
    "data": {"dataset": "ucf101", "missing": "leave_out", "val_fraction": 0.2, "workers": 2},
    "input": {"size": 176, "resize": "squash", "short_side": 176},
    "flow": {"method": "fast", "fields": 5},
    "segments": {"train": 8, "test": 16},
    "cache": {"positions": 2, "mirrored": False},
    "model": {
        "kind": "stan",
        "streams": {
            name: {"backbone": "squeezenet", "train_from": "none", "conv6_channels": 128}
            for name in ("frame", "flow")
        },
        "lstm_hidden": 128,
    },
    "train": {
        "optimizer": "adamw",
        "schedule": "onecycle",
        "iterations": ITERATIONS,
        "batch_size": 16,
        "checkpoint_every": 40,
    },
}


def main() -> None:
    data = data_folder()
    if data is None:
        raise SystemExit("no official lists at ../shared/data; set ATTCELL_DATA to their folder")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        started = time.perf_counter()
        write_videos(data / "annotations" / "ucf101", work / "videos")
        print(f"videos written in {time.perf_counter() - started:.0f} s", flush=True)
        recipe = write_recipe(data, work)
        load = os.getloadavg()[0]
        planning = spent("plan", str(recipe), "--machines", "4", "--json", str(work / "plan.json"))
        plan = json.loads((work / "plan.json").read_text(encoding="utf-8"))
        time.sleep(SETTLED)
        taken = take(recipe, work)
        text = report(plan, forecast(plan, recipe), taken, planning, load)
    write_text(RESULTS / "plan.md", text)
    print(text)


def write_videos(lists: Path, folder: Path) -> None:
    """200 videos by the names of the list, on all cores."""
    annotation, rng = read_known_set("ucf101", lists), np.random.default_rng(0)
    chosen: list[str] = []
    for part, num in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        names = [video.id for video in annotation.parts[part] if video.labels[0] < NUM_CLASSES]
        chosen += [names[place] for place in rng.choice(len(names), num, replace=False)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_video, [folder / name for name in chosen], range(len(chosen))))


def write_video(path: Path, seed: int) -> None:
    """A texture that moves behind a square that moves otherwise."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = rng.integers(0, 256, (40, 50, 3), np.uint8)
    texture = np.asarray(
        av.VideoFrame.from_ndarray(coarse, format="rgb24")
        .reformat(2 * WIDTH, 2 * HEIGHT)
        .to_ndarray(format="rgb24")
    )
    steps = np.cumsum(rng.normal(0, 1.5, (int(rng.integers(SHORTEST, LONGEST + 1)), 4)), axis=0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 600_000
        stream.time_base = Fraction(1, RATE)
        for at_x, at_y, at_left, at_top in steps:
            x, y = (int(abs(of)) % side for of, side in ((at_x, WIDTH), (at_y, HEIGHT)))
            picture = texture[y : y + HEIGHT, x : x + WIDTH].astype(np.uint8)
            left, top = (int(abs(of) * 3) % (side - 60) for of, side in ((at_left, WIDTH), (at_top, HEIGHT)))
            picture[top : top + 60, left : left + 60] = coarse[:20, :20].repeat(3, 0).repeat(3, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_recipe(data: Path, work: Path) -> Path:
    values = json.loads(json.dumps(RECIPE))
    values["data"].update(root=str(work / "videos"), annotations=str(data / "annotations" / "ucf101"))
    values["model"]["weights"] = str(data / "squeezenet1_0_imagenet.safetensors")
    values["flow"]["store"], values["cache"]["folder"] = str(work / "flow"), str(work / "features")
    recipe = work / "stan.yaml"
    recipe.write_text(yaml.safe_dump(values), encoding="utf-8")
    return recipe


def spent(*words: str) -> float:
    """Seconds of a whole process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "attcell.cli.app", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def take(recipe: Path, work: Path) -> dict[str, float]:
    """Phase → the seconds that its commands take on the 200 videos."""
    run, videos, features = str(work / "run"), str(work / "videos"), str(work / "features")
    flow = (videos, str(work / "flow"), "--method", "fast", "--short-side", "176")
    taken = {"extract flow": spent("extract", "flow", *flow), "features": 0.0}
    listings = read_listings(load_recipe(recipe))
    for records, views in ((listings.train, "train"), (listings.val, "test")):
        listed = work / f"{views}.txt"
        lines = [f"{one.path.relative_to(videos).as_posix()} {one.label}\n" for one in records]
        listed.write_text("".join(lines), encoding="utf-8")
        given = ("--recipe", str(recipe), "--root", videos, "--views", views)
        taken["features"] += spent("extract", "features", str(listed), features, *given)
    taken["train"] = spent("train", str(recipe), "--out", run)
    taken["test"] = spent("test", f"{run}/model")
    return taken


def forecast(plan: dict[str, Any], path: Path) -> dict[str, tuple[float, float]]:
    """Phase → seconds and half the interval, by the plan's own numbers for one, of the videos here."""
    recipe = load_recipe(path)
    listings, tested = read_listings(recipe), part_listing(recipe.data, "test")
    assert tested is not None
    train, val, test = len(listings.train), len(listings.val), len(tested.records)
    counts = {
        "videos": train + val + test,
        "training videos": train,
        "validation videos": val,
        "test videos": test,
    }
    found = {}
    for phase in plan["phases"]:
        counts["start"] = 2 if phase["name"] == "features" else 1  # commands
        seconds = squares = 0.0
        for term in phase["terms"]:
            of_all = plan["videos"]["val"]
            num = counts.get(term["unit"], term["count"])
            if term["unit"].startswith("videos validated"):
                num = term["count"] // of_all * val
            seconds += num * term["seconds_each"]
            squares += (num * term["spread_each"]) ** 2
        found[phase["name"]] = seconds, squares**0.5
    return found


def report(
    plan: dict[str, Any],
    forecasts: dict[str, tuple[float, float]],
    taken: dict[str, float],
    planning: float,
    load: float,
) -> str:
    num_here, num_measured = plan["videos"]["here"], len(plan["measured"]["videos"])
    lines = [
        f"# `attcell plan` beside what it forecasts\n\n{machine()}; the load was {load:.1f} before.\n",
        f"UCF101's official list, split 1: {plan['videos']['all']:,} videos, of which {num_here} "
        f"are here under their names, generated ({WIDTH}×{HEIGHT}, {SHORTEST} to {LONGEST} frames). The plan "
        f"took {planning:.0f} s, imports included, and measured {num_measured} of them.\n",
        "| 200 videos | forecast, s | ± | taken, s | forecast ÷ taken |",
        "|---|---|---|---|---|",
    ]
    for name, (seconds, spread) in forecasts.items():
        lines.append(
            f"| {name} | {seconds:.1f} | {spread:.1f} | {taken[name]:.1f} | {seconds / taken[name]:.2f} |"
        )
    total, all_taken = sum(of for of, _ in forecasts.values()), sum(taken.values())
    lines.append(f"| in all | {total:.1f} | | {all_taken:.1f} | {total / all_taken:.2f} |\n")
    lines += [
        "Taken is whole processes, of which the features are two.\n",
        "| whole list | hours | disk, GB | what one takes |",
        "|---|---|---|---|",
    ]
    for phase in plan["phases"]:
        each = "; ".join(
            f"{term['count']:,} {term['unit']} × {term['seconds_each']:.4f} s" for term in phase["terms"]
        )
        lines.append(
            f"| {phase['name']} | {phase['seconds'] / 3600:.2f} | {phase['bytes'] / 1e9:.1f} | {each} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
