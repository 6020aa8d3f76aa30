"""Does attention say what the network uses? Deletion and insertion on test videos of a trained STAN."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from attcell.data.dataset import PlannedViews
from attcell.engine.build import evaluation_plan, input_spec
from attcell.engine.erasing import Curve, erase
from attcell.engine.evaluation import listing_of
from attcell.engine.model_folder import SavedModel, load_model
from attcell.errors import VideoError
from attcell.nn import STAN
from attcell.records import VideoRecord

NUM_SEGMENTS = 12  # of each video whose regions and segments are taken away


def areas_of_curves(model: Path, num_videos: int) -> dict[str, float]:
    """Deletion and insertion, in percent. High is good in both: of deletion it is what is left below 100.

    Args:
        model: the model folder of a STAN.
        num_videos: test videos of each class.
    """
    saved = load_model(model)
    saved.network.eval()
    areas: dict[str, list[float]] = {}
    for record in _first_of_each_class(listing_of(saved, "test").records, num_videos):
        for curve in _curves(saved, record):
            area = 1 - curve.area if curve.way == "deletion" else curve.area
            areas.setdefault(f"{curve.way} of {curve.what}, {curve.order}", []).append(area)
    return {name: 100 * float(np.mean(of)) for name, of in areas.items()}


def _curves(saved: SavedModel, record: VideoRecord) -> Iterable[Curve]:
    plan, spec = evaluation_plan(saved.recipe, NUM_SEGMENTS), input_spec(saved.recipe)
    views = PlannedViews([record], spec, plan)[0]
    if isinstance(views, VideoError):
        raise views
    assert isinstance(saved.network, STAN), "the suite takes from STAN of early fusion"
    rng = np.random.default_rng(zlib.crc32(record.id.encode()))  # of each video its own
    return erase(saved.network, {stream: inputs[0] for stream, inputs in views.inputs.items()}, rng)


def _first_of_each_class(records: Iterable[VideoRecord], num_videos: int) -> list[VideoRecord]:
    by_class: dict[int, list[VideoRecord]] = {}
    for record in records:
        by_class.setdefault(record.label, []).append(record)
    return [record for of_class in by_class.values() for record in of_class[:num_videos]]
