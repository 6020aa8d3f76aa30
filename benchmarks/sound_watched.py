"""What a network with sound says of test videos, sample by sample, against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from attcell._parallel import one_thread
from attcell.data.truth import generated_boxes
from attcell.inference.detect import follow_video
from attcell.inference.detection_rules import RuleChoice, find
from attcell.inference.evaluate import listing_of
from attcell.inference.localization import attention_metrics
from attcell.inference.model import Model
from attcell.metrics import detection_map
from attcell.metrics.localization import peak_on_tone, temporal_auc, tone_regions
from attcell.models.build import input_spec
from attcell.research.driver import Figures
from attcell.synth.truth import Truth, read_truth
from attcell.types import AttentionTrack, Prediction
from attcell.video.sound.log_mel import LogMel
from attcell.video.sound.reading import RATE

EVERY = 5  # frames from one sample to the next
OVERLAP = 0.5  # in time, of a found action with a true one


def watched_figures(folder: Path, videos: Path, each: int) -> Figures:
    """What a network says of test videos sample by sample against their truth, in percent.

    Args:
        folder: of the model.
        videos: the set.
        each: videos of each class.
    """
    with one_thread():
        model, truth = Model.from_folder(folder), read_truth(videos)
        said: dict[str, Prediction] = {}
        for record in listing_of(model, "test").records:
            if int(record.path.stem) < each:
                name = record.path.relative_to(videos).as_posix()
                said[name] = follow_video(model, record.path, EVERY, pictures=False)
    tracks = {name: of.track for name, of in said.items() if of.track is not None}
    ranked = [
        temporal_auc(of.temporal_scores, _in_action(of, truth, name).astype(int))
        for name, of in tracks.items()
    ]
    figures = {
        "temporal ROC area": 100 * float(np.mean(ranked)),
        "mAP": _mean_ap(truth, said),
    }
    streams = next(iter(tracks.values())).spatial_attention
    if "frame" in streams:
        boxes = generated_boxes(truth)
        where = attention_metrics([(of, boxes[name]) for name, of in tracks.items()], "frame")
        figures |= {"peak on the actor": 100 * where.pointing}
        figures |= {"peak on the actor by chance": 100 * where.pointing_chance}
    if "audio" in streams:
        spec = input_spec(model.recipe).audio.log_mel
        hits = np.concatenate([_pointed(of, truth, name, spec) for name, of in tracks.items()])
        for what, column in (("peak on the tone", 0), ("peak beside the tone", 2)):
            figures |= {what: 100 * float(hits[:, column].mean())}
            figures |= {f"{what} by chance": 100 * float(hits[:, column + 1].mean())}
    return figures


def _in_action(track: AttentionTrack, truth: Truth, name: str) -> np.ndarray:
    """(T,) bool."""
    action = truth.videos[name].action
    frames = ((track.frame_seconds - track.seconds[0, 0]) * truth.fps).round().astype(int)
    return action[np.clip(frames, 0, len(action) - 1)]


def _mean_ap(truth: Truth, said: Mapping[str, Prediction]) -> float:
    found = [
        replace(one, video_id=name)
        for name, of in said.items()
        for one in find(of, RuleChoice(), None)  # not calibrated: the rule's own threshold
    ]
    truths = [one for one in truth.actions() if one.video_id in said]
    return 100 * float(detection_map(truths, found, (OVERLAP,), protocol="thumos").mean_ap[0])


def _pointed(track: AttentionTrack, truth: Truth, name: str, spec: LogMel) -> np.ndarray:
    """(n, 4) of each sample in the action: whether the class's tone goes through the strongest region, and
    the share of regions that it goes through; the same with the regions beside these."""
    heard = truth.videos[name].sound
    assert heard is not None, "the set has sound"
    rows = spec.row_seconds
    first, last = rows[0] - spec.hop / RATE / 2, rows[-1] + spec.hop / RATE / 2
    pointed = []
    for sample in np.flatnonzero(_in_action(track, truth, name)):
        attention = track.spatial_attention["audio"][sample].astype(np.float32)
        middle = track.frame_seconds[sample]
        where = ((middle + first, middle + last), spec.edges_hz(attention.shape[1]), heard.notes)
        of_sample: list[float] = []
        for reach in (0, 1):
            of_sample += [
                peak_on_tone(attention, *where, reach),
                tone_regions(len(attention), *where, reach).mean(),
            ]
        pointed.append(of_sample)
    return np.array(pointed, dtype=float)
