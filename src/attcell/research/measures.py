"""What is measured on trained networks, several at a time; kept with what it was measured on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._files import write_json
from attcell._log import track
from attcell._parallel import process_pool
from attcell.data.datasets import KeptViews, PlannedViews
from attcell.data.feature_store import content_digest
from attcell.data.truth import generated_boxes
from attcell.errors import DataError, VideoError
from attcell.inference.calibrate import calibrate
from attcell.inference.calibration import Calibration, write_calibration
from attcell.inference.detect import EVERY, follow_video
from attcell.inference.evaluate import listing_of
from attcell.inference.extract import filled_stores
from attcell.inference.localization import attention_figures
from attcell.inference.model import Model
from attcell.inference.rules import RuleChoice, find
from attcell.inference.run import run_views
from attcell.metrics import detection_map
from attcell.models.build import evaluation_plan, input_spec, part_listing
from attcell.models.weights import state_digest
from attcell.nn import STAN
from attcell.nn.explain import Curve, deletion_insertion
from attcell.synth.truth import Truth, read_truth
from attcell.types import Detection, Prediction, VideoRecord

VERSION = 1  # raise it when the same model would give other figures
Figures = dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """Something to measure on a trained network.

    Attributes:
        measure: gives name → figure; of what a process can be handed.
        model: the model folder.
        settings: whatever else the figures depend on, in plain types.
    """

    measure: Callable[[], Figures]
    model: Path
    settings: Mapping[str, Any]

    @property
    def made_by(self) -> dict[str, Any]:
        """What a kept result must have been measured on."""
        model = content_digest(self.model / "model.safetensors")
        return {"version": VERSION, "model": model, **self.settings}


def measure_in_parallel(looks: Mapping[str, Measurement], folder: Path, processes: int) -> Figures:
    """The figures of all looks; each one's are kept in ``folder``, and taken from there while they hold."""
    found = {name: _kept(folder / f"{name}.json", look) for name, look in looks.items()}
    left = [name for name, figures in found.items() if figures is None]
    measured = _measure({name: looks[name] for name in left}, min(processes, len(left)))
    for name, figures in track(measured, len(left), "looking at trained networks"):
        found[name] = figures
        folder.mkdir(parents=True, exist_ok=True)
        content = {"made_by": looks[name].made_by, "figures": figures}
        write_json(str(folder / f"{name}.json"), content)
    return {name: value for figures in found.values() for name, value in (figures or {}).items()}


def _measure(looks: Mapping[str, Measurement], processes: int) -> Iterator[tuple[str, Figures]]:
    """Name and figures of each look, as they come."""
    if processes <= 1:  # starting another process would take longer than many a look
        for name, look in looks.items():
            yield name, look.measure()
        return
    with process_pool(processes, threads=1) as pool:
        names = {pool.submit(look.measure): name for name, look in looks.items()}
        for future in as_completed(names):
            yield names[future], future.result()


def _kept(file: Path, look: Measurement) -> Figures | None:
    """What was measured before, if on the same."""
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["made_by"] != look.made_by:
            return None
        return {str(name): float(value) for name, value in content["figures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} is damaged ({error}); delete it and run again") from error


# Untrimmed test videos, watched moment by moment: which actions are found, and where attention lies.

# Rule → what is added to the network's name. Class scores alone are all that a SAN has.
RULES = {"stan": {"relative": "", "classes": " without attention"}, "san": {"classes": ""}}
OVERLAP = 0.5  # in time


def streaming_metrics(name: str, model: Path, videos: Path, calibrated: int) -> dict[str, float]:
    """Calibrate a model on some training videos and their labels, and watch its test videos.

    Args:
        name: of the network, in the table.
        model: a model folder; the calibration goes there.
        videos: the folder of a generated set.
        calibrated: training videos of each class that it is calibrated on.

    Returns:
        In percent: mAP of each rule by THUMOS14's protocol; in how many samples of the action the peak of
        each stream's attention lies on the actor; and how well temporal attention ranks these samples.
    """
    saved, truth = _calibrated(model, calibrated), read_truth(videos)
    tested = [record.path for record in listing_of(saved, "test").records]
    watched = {
        path.relative_to(videos).as_posix(): follow_video(saved, path, EVERY, stored_flow=True)
        for path in tested
    }
    rules = {rule: name + added for rule, added in RULES[saved.recipe.model.kind].items()}
    figures = _detection_figures(rules, watched, truth, saved.calibration)
    figures |= _attention_figures(name, watched, truth)
    if saved.recipe.model.kind == "san":  # its segments all count alike
        del figures[f"{name}: temporal ROC area"]
    return figures


def _detection_figures(
    rules: dict[str, str], watched: dict[str, Prediction], truth: Truth, calibration: Calibration | None
) -> dict[str, float]:
    """Rule → what it is called in the table, to the mAP of each."""
    truths = [of for of in truth.actions() if of.video_id in watched]
    figures = {}
    for rule, name in rules.items():
        found: list[Detection] = []
        for video, prediction in watched.items():
            some = find(prediction, RuleChoice(rule), calibration)
            found += [replace(one, video_id=video) for one in some]
        table = detection_map(truths, found, (OVERLAP,), protocol="thumos")
        figures[f"{name}: detection"] = 100 * float(table.mean_ap[0])
    return figures


def _attention_figures(name: str, watched: dict[str, Prediction], truth: Truth) -> dict[str, float]:
    boxes = generated_boxes(truth)
    found = [(of.track, boxes[video]) for video, of in watched.items() if of.track is not None]
    streams: Sequence[str] = list(found[0][0].spatial_attention)
    by_stream = {stream: attention_figures(found, stream) for stream in streams}
    of_one = by_stream[streams[0]]  # when it looks is the same for all streams, and so is chance
    return {
        **{f"{name}: peak on the actor, {stream}": 100 * of.pointing for stream, of in by_stream.items()},
        "peak on the actor by chance": 100 * of_one.pointing_chance,
        f"{name}: temporal ROC area": 100 * of_one.auc,
    }


def _calibrated(model: Path, num_videos: int) -> Model:
    saved = Model.from_folder(model)
    listing = part_listing(saved.recipe.data, "train", saved.labels)
    assert listing is not None, "the suite's recipes name their videos"
    some = [record for record in listing.records if int(record.path.stem) < num_videos]
    there = saved.calibration
    if there is None or (there.num_videos, there.every) != (len(some), EVERY):
        write_calibration(model, calibrate(saved, some, EVERY, stored_flow=True), state_digest(saved.network))
        saved = Model.from_folder(model)
    return saved


# Does attention say what the network uses? Deletion and insertion on test videos of a trained STAN.

NUM_SEGMENTS = 12  # of each video whose regions and segments are taken away


def areas_of_curves(model: Path, num_videos: int) -> dict[str, float]:
    """Deletion and insertion, in percent. High is good in both: of deletion it is what is left below 100.

    Args:
        model: the model folder of a STAN.
        num_videos: test videos of each class.
    """
    saved = Model.from_folder(model)
    saved.network.eval()
    areas: dict[str, list[float]] = {}
    for record in _first_of_each_class(listing_of(saved, "test").records, num_videos):
        for curve in _curves(saved, record):
            area = 1 - curve.area if curve.way == "deletion" else curve.area
            areas.setdefault(f"{curve.way} of {curve.what}, {curve.order}", []).append(area)
    return {name: 100 * float(np.mean(of)) for name, of in areas.items()}


def _curves(saved: Model, record: VideoRecord) -> Iterable[Curve]:
    plan, spec = evaluation_plan(saved.recipe, NUM_SEGMENTS), input_spec(saved.recipe)
    views = PlannedViews([record], spec, plan)[0]
    if isinstance(views, VideoError):
        raise views
    assert isinstance(saved.network, STAN), "the suite takes from STAN of early fusion"
    rng = np.random.default_rng(zlib.crc32(record.id.encode()))  # of each video its own
    return deletion_insertion(
        saved.network, {stream: inputs[0] for stream, inputs in views.inputs.items()}, rng
    )


def _first_of_each_class(records: Iterable[VideoRecord], num_videos: int) -> list[VideoRecord]:
    per_class: dict[int, list[VideoRecord]] = {}
    for record in records:
        per_class.setdefault(record.label, []).append(record)
    return [record for of_class in per_class.values() for record in of_class[:num_videos]]


# Which branch a network that selects branches relies on.


@torch.inference_mode()
def shares_of_branches(name: str, model: Path) -> dict[str, float]:
    """The share that each branch has in the sum of both, of the last step, in percent.

    Args:
        name: of the network, in the table.
        model: the model folder of a branch selection.

    Returns:
        The mean over the test videos.
    """
    saved = Model.from_folder(model)
    recipe, network = saved.recipe, saved.network.eval()
    assert recipe.cache.folder is not None, "the suite keeps features"
    records = listing_of(saved, "test").records
    stores, _ = filled_stores(
        recipe.cache.folder, recipe, network, records, evaluation_plan(recipe), torch.device("cpu")
    )
    views = KeptViews(records, stores)
    shares = [
        run_views(network, views[index].inputs, kept_features=True).stream_weights
        for index in range(len(views))
    ]
    return {
        f"{name}: share of {stream}": 100 * float(np.mean([of[stream] for of in shares]))
        for stream in recipe.model.streams
    }
