"""Where and when a trained STAN looks in test videos: against the truth, and by deletion and insertion."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from attcell.data.box_truth import generated_boxes
from attcell.data.dataset import PlannedViews
from attcell.data.synth.truth import read_truth
from attcell.engine.build import evaluation_plan, input_spec
from attcell.engine.erasing import Curve, erase
from attcell.engine.localising import attention_figures
from attcell.engine.model_folder import SavedModel, load_model
from attcell.engine.predicting import predict_video
from attcell.errors import VideoError
from attcell.nn import STAN
from attcell.records import VideoRecord

SEGMENTS_ERASED = 12  # of each video whose regions and segments are taken away


def attention_on_truth(model: Path, videos: Path, num_videos: int) -> dict[str, float]:
    """How often attention's peak lies on the actor, and how well it ranks the action, in percent.

    Args:
        model: the model folder of a STAN.
        videos: the folder of a generated set.
        num_videos: test videos of each class.
    """
    saved, truth = load_model(model), generated_boxes(read_truth(videos))
    found = [
        (predict_video(saved, path), truth[path.relative_to(videos).as_posix()])
        for path in _test_videos(videos, num_videos)
    ]
    by_stream = {stream: attention_figures(found, stream) for stream in saved.recipe.model.streams}
    of_one = next(iter(by_stream.values()))  # when it looks is the same for all streams
    return {
        **{f"peak on the actor, {stream}": 100 * of.pointing for stream, of in by_stream.items()},
        "peak on the actor, chance": 100 * of_one.pointing_chance,
        "temporal ROC area": 100 * of_one.auc,
    }


def areas_of_curves(model: Path, videos: Path, num_videos: int) -> dict[str, float]:
    """Deletion and insertion, in percent. High is good in both: of deletion it is what is left below 100.

    The arguments are those of :func:`attention_on_truth`.
    """
    saved = load_model(model)
    saved.network.eval()
    areas: dict[str, list[float]] = {}
    for path in _test_videos(videos, num_videos):
        for curve in _curves(saved, path):
            area = 1 - curve.area if curve.way == "deletion" else curve.area
            areas.setdefault(f"{curve.way} of {curve.what}, {curve.order}", []).append(area)
    return {name: 100 * float(np.mean(of)) for name, of in areas.items()}


def _curves(saved: SavedModel, video: Path) -> Iterable[Curve]:
    plan, spec = evaluation_plan(saved.recipe, SEGMENTS_ERASED), input_spec(saved.recipe).computing_flow()
    views = PlannedViews([VideoRecord(video.name, video, ())], spec, plan)[0]
    if isinstance(views, VideoError):
        raise views
    assert isinstance(saved.network, STAN), "the suite looks at STAN of early fusion"
    rng = np.random.default_rng(zlib.crc32(f"{video.parent.name}/{video.name}".encode()))
    return erase(saved.network, {stream: inputs[0] for stream, inputs in views.inputs.items()}, rng)


def _test_videos(videos: Path, num_videos: int) -> list[Path]:
    return [path for path in sorted((videos / "test").glob("*/*.mp4")) if int(path.stem) < num_videos]
