"""What must be true of a prediction before it is drawn."""

from __future__ import annotations

import numpy as np

from attcell.errors import CallError, ModelError
from attcell.records import Prediction


def check(prediction: Prediction) -> None:
    """Refuse a prediction whose parts do not fit together or are not finite numbers."""
    num_segments = len(prediction.frames)
    shapes = {
        "scores": (prediction.scores, (len(prediction.labels),)),
        "segments_seconds": (prediction.segments_seconds, (num_segments, 2)),
        "frame_seconds": (prediction.frame_seconds, (num_segments,)),
        "temporal_scores": (prediction.temporal_scores, (num_segments,)),
        "duration_seconds": (np.asarray(prediction.duration_seconds), ()),
        "attended_area": (np.asarray(prediction.attended_area), (4,)),
        "temporal_attention": (prediction.temporal_attention, (num_segments,)),
        "frames": (prediction.frames, (num_segments, *prediction.frames.shape[1:3], 3)),
        **{
            f"spatial_attention[{name!r}]": (maps, (num_segments, *maps.shape[-2:]))
            for name, maps in prediction.spatial_attention.items()
        },
        **{
            f"temporal_attention_by_stream[{name!r}]": (weights, (num_segments,))
            for name, weights in prediction.temporal_attention_by_stream.items()
        },
    }
    shapes |= {
        f"gates[{name!r}]": (gates, (num_segments, num_segments)) for name, gates in prediction.gates.items()
    }
    if prediction.flow is not None:
        shapes["flow"] = (prediction.flow, (num_segments, 2, *prediction.flow.shape[-2:]))
    if num_segments == 0:
        raise CallError(
            f"{prediction.video}: the prediction holds no segment; at least one is needed to draw it"
        )
    for name, (array, wanted) in shapes.items():
        if array.shape != wanted:
            raise CallError(
                f"{prediction.video}: {name} has shape {array.shape}, but {num_segments} frames and "
                f"{len(prediction.labels)} labels ask for {wanted}"
            )
        if not np.isfinite(array).all():
            raise ModelError(
                f"{prediction.video}: {name} holds values that are not finite numbers; the model's "
                "weights or its input are broken: try another video, or train again with a smaller rate"
            )
