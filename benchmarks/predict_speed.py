"""Where the time of ``predict`` goes, on a 720p clip with VGG-16 and 25 segments, beside the bare backbone.

    uv run python -m benchmarks.predict_speed [VIDEO] [--repeats 5]

The bare backbone runs on the same pictures in the same process, between the predictions. The time of a stage
is its median over the repeats. VGG-16 has random weights: the time does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from attcell.config.recipe import check_recipe
from attcell.inference import predict as predicting
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.video import parts as video_parts
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.readers import Origin
from attcell.video.transforms import centre_crop
from benchmarks.machine import data_folder, machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    folder = data_folder()
    video = options.video or (folder and folder / "clips" / "juggle_720p.mp4")
    if video is None:
        raise SystemExit("no real clips at ../shared/data; set ATTCELL_DATA to their folder, or name a video")
    model = _model()
    pictures = _pictures(model, video)
    backbone = model.network.stream("frame").backbone
    times: dict[str, list[float]] = defaultdict(list)
    for repeat in range(options.repeats + 1):  # the first warms up and is dropped
        with _measured(times, model):
            _timed(times["predict, whole"], predicting.predict_video)(model, video)
        with torch.inference_mode():
            batch = pictures.to(best_device(), memory_format=torch.channels_last)
            _timed(times["bare backbone"], backbone)(batch)
        if repeat == 0:
            times.clear()
    _show(times, video, options.repeats)


def _model() -> Model:
    recipe = check_recipe({"data": {"train": "."}, "train": {"iterations": 1}}, source="benchmark")
    network = build_network(recipe, 101, load_weights=False).eval().to(best_device())
    return Model(network, tuple(str(n) for n in range(101)), recipe, {})


def _pictures(model: Model, video: Path) -> torch.Tensor:
    plan = evaluation_plan(model.recipe)
    spec = input_spec(model.recipe)
    sampled_frames, _ = read_sampled_frames(video, spec, plan.frame_indices)
    size = plan.resized_size(sampled_frames.size, spec.frame)
    resized_frames = resize_frames(sampled_frames, spec, size, spec.readers(Origin()))
    view = resized_frames.view(centre_crop(size, spec.frame))["frame"]
    normalise = model.network.stream("frame").normalise
    assert normalise is not None
    return normalise(view)


@contextmanager
def _measured(times: dict[str, list[float]], model: Model) -> Any:
    """Within this, each stage of ``predict_video`` adds its time, summed over its calls, to ``times``."""
    sums: dict[str, list[float]] = defaultdict(list)
    backbone = model.network.stream("frame").backbone

    def into(name: str, owner: Any, function: str) -> Any:
        return mock.patch.object(owner, function, _timed(sums[name], getattr(owner, function)))

    with (
        into("resize", video_parts, "resize_frames"),
        into("report pictures", predicting, "small_picture"),
        into("backbone in predict", backbone, "forward"),
        into("encode: backbone, conv6, attention", predicting, "encode_part"),
        into("decide: LSTM and classes", predicting, "decide_views"),
    ):
        yield
    for name, values in sums.items():
        times[name].append(sum(values))


def _timed(into: list[float], function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments, **named)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        into.append(time.perf_counter() - start)
        return result

    return run


def _show(times: dict[str, list[float]], video: Path, repeats: int) -> None:
    median = {name: statistics.median(values) for name, values in times.items()}
    backbone = median["bare backbone"]
    print(f"{video.name}, 25 segments of 224², VGG-16; medians of {repeats}; {machine()}\n")
    print("| stage | seconds | of the bare backbone |\n|---|---|---|")
    for name, seconds in sorted(median.items(), key=lambda item: -item[1]):
        print(f"| {name} | {seconds:.3f} | {100 * seconds / backbone:.1f} % |")
    network = median["encode: backbone, conv6, attention"] + median["decide: LSTM and classes"]
    beside = median["predict, whole"] - network
    print(
        f"\ndecoding and all that is no network: {100 * beside / backbone:.1f} % of the bare backbone's time"
    )


if __name__ == "__main__":
    main()
