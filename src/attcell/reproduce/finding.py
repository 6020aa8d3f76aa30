"""How well a trained network finds actions in untrimmed test videos, with attention and without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attcell.data.recipe_videos import part_listing
from attcell.data.synth.truth import read_truth
from attcell.engine.calibrating import calibrate
from attcell.engine.calibration import write_calibration
from attcell.engine.detecting import EVERY, follow_video
from attcell.engine.detection_rules import RuleChoice, find
from attcell.engine.model_folder import SavedModel, load_model
from attcell.engine.weights import state_digest
from attcell.metrics import detection_map
from attcell.records import Detection

RULES = {"relative": "", "classes": " without attention"}  # and what is added to the network's name
OVERLAP = 0.5  # in time


def detection_figures(name: str, model: Path, videos: Path, calibrated: int) -> dict[str, float]:
    """Calibrate a model on some training videos and their labels, and find actions in the test videos.

    Args:
        name: of the network, in the table.
        model: a model folder; the calibration goes there.
        videos: the folder of a generated set.
        calibrated: training videos of each class that it is calibrated on.

    Returns:
        mAP of each rule in percent, by THUMOS14's protocol.
    """
    saved = _calibrated(model, calibrated)
    found: dict[str, list[Detection]] = {rule: [] for rule in RULES}
    for path in sorted((videos / "test").glob("*/*.mp4")):
        watched, video = follow_video(saved, path, EVERY), path.relative_to(videos).as_posix()
        for rule, detections in found.items():
            some = find(watched, RuleChoice(rule), saved.calibration)
            detections += [replace(one, video_id=video) for one in some]
    truths = [of for of in read_truth(videos).actions() if of.video_id.startswith("test/")]
    figures = {}
    for rule, detections in found.items():
        table = detection_map(truths, detections, (OVERLAP,), protocol="thumos")
        figures[f"{name}{RULES[rule]}: detection"] = 100 * float(table.mean_ap[0])
    return figures


def _calibrated(model: Path, num_videos: int) -> SavedModel:
    saved = load_model(model)
    if saved.calibration is None:
        listing = part_listing(saved.recipe.data, "train", saved.labels)
        assert listing is not None, "the suite's recipes name their videos"
        some = [record for record in listing.records if int(record.path.stem) < num_videos]
        write_calibration(model, calibrate(saved, some, EVERY), state_digest(saved.network))
        saved = load_model(model)
    return saved
