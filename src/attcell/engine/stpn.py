"""Detection after STPN (Nguyen et al. 2018): a threshold on the weighted temporal class activation map."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from attcell.engine.proposals import attention_of, runs
from attcell.metrics.intervals import nms
from attcell.records import Detection, Track

VIDEO_THRESHOLD = 0.1  # of a class's score for the whole video
MAP_THRESHOLD = 0.05
OVERLAP_THRESHOLD = 0.5
_STEPS = 5  # the map is interpolated to so many points a sample; with a sample every 5 frames, to frames


def find_by_activation(
    track: Track, labels: tuple[str, ...], video_scores: Float[np.ndarray, " A"]
) -> list[Detection]:
    """The actions where σ(k) × class score is above a threshold, best first.

    Classes whose score for the whole video is at most 0.1 are left out. The map is interpolated between
    samples; what is found scores the map's mean over it.

    *Reading*: the class activation of a sample is the network's own class probability on f_att^t. With one
    threshold and one map the parts of a class never overlap, so that the suppression takes nothing away.
    """
    attention, found = attention_of(track.temporal_scores, "sigmoid"), []
    points = np.arange((len(attention) - 1) * _STEPS + 1) / _STEPS  # in samples
    samples = np.arange(len(attention))
    starts = np.interp(points, samples, track.seconds[:, 0])
    ends = np.append(starts[1:], track.seconds[-1, 1])
    for label in np.flatnonzero(video_scores > VIDEO_THRESHOLD).tolist():
        weighted = np.interp(points, samples, attention * track.class_scores[:, label])
        for first, end in runs(weighted > MAP_THRESHOLD):
            score = float(weighted[first:end].mean())
            found.append(Detection(labels[label], float(starts[first]), float(ends[end - 1]), score))
    return nms(found, OVERLAP_THRESHOLD)
