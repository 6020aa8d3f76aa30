"""One video through a model: what it shows, and where and when the evidence is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from attcell.errors import CallError
from attcell.inference.model import Model
from attcell.inference.run import Encoded, as_scores, decide_views, encode_part, refuse_not_finite
from attcell.models.build import evaluation_plan, input_spec
from attcell.types import AttentionTrack, Prediction
from attcell.video.inputs import ResizedFrames
from attcell.video.parts import ViewPart, ViewParts
from attcell.video.sampling import segment_seconds
from attcell.video.transforms import attended_area

PICTURE_SIDE = 320  # pixels of the long side of the frames that a report shows


def predict_video(model: Model, path: Path, num_segments: int | None = None) -> Prediction:
    """Predict the class of one video, and say where and when the network looked.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        num_segments: T; by default the recipe's.

    Raises:
        CallError: the model has an SVM.
        VideoError: the file cannot be read, or has fewer frames than T and the recipe refuses that.
        ModelError: the network's scores are not finite numbers.
    """
    if model.recipe.score_rule == "margin":
        raise CallError(
            "this model's classes are told by an SVM, whose margins are no probabilities that a page could "
            "show; score videos with attcell test, or predict with a model of classifier linear"
        )
    plan = evaluation_plan(model.recipe, num_segments)
    spec = input_spec(model.recipe).computing_flow()
    parts = ViewParts(path, spec, plan, device=model.device.type)
    encoded: list[Encoded] = []
    shown: list[_Shown] = []
    for part in parts:
        if part.start == 0:  # what came before is void
            encoded, shown = [], []
        encoded.append(encode_part(model.network, part.views))
        shown.append(_Shown.of(part))
    (out,) = decide_views(model.network, encoded)
    refuse_not_finite(out.logits)
    info = parts.info
    return Prediction(
        video=str(path),
        labels=model.labels,
        scores=_numpy(as_scores(out.logits[0], model.recipe.score_rule)),
        duration_seconds=info.duration_seconds,
        segments=AttentionTrack(
            seconds=segment_seconds(info, plan.segments_of(info.num_frames)),
            frame_seconds=info.frame_seconds[np.concatenate([of.frame_indices for of in shown])],
            temporal_scores=_numpy(out.temporal_scores[0]),
            temporal_attention=_numpy(out.temporal_attention[0]),
            spatial_attention={name: _numpy(maps[0]) for name, maps in out.spatial_attention.items()},
            attended_area=attended_area(info.size, spec.frame),
        ),
        temporal_attention_by_stream={
            name: _numpy(weights[0]) for name, weights in out.temporal_attention_by_stream.items()
        },
        stream_weights=out.stream_weights,
        gates={name: _numpy(gates[0]) for name, gates in out.gates.items()},
        frames=np.concatenate([of.pictures for of in shown]),
        flow=_joined([of.flow for of in shown]),
        notes=info.notes,
    )


@dataclass(frozen=True, eq=False)
class _Shown:
    """What is kept of a part to be shown.

    Attributes:
        frame_indices: (t,) the frames that stand for its segments.
        pictures: (t, H, W, 3) uint8.
        flow: (t, 2, h, w); None without a flow stream.
    """

    frame_indices: np.ndarray
    pictures: np.ndarray
    flow: np.ndarray | None

    @classmethod
    def of(cls, part: ViewPart) -> _Shown:
        images, indices = part.sampled_frames.images, part.frame_indices
        pictures = np.stack([small_picture(images[index]) for index in indices.tolist()])
        return cls(indices, pictures, small_flow(part.resized_frames))


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def small_flow(resized_frames: ResizedFrames) -> np.ndarray | None:
    """(T, 2, h, w): the mean of each segment's fields, at most PICTURE_SIDE wide and high; None without."""
    flow = resized_frames.mean_flow()
    if flow is None:
        return None
    scale = PICTURE_SIDE / max(resized_frames.size)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in flow.shape[-2:]]
        flow = transforms.resize(flow, size, antialias=True)
    return flow.numpy()


def small_picture(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) scaled so that its long side is at most PICTURE_SIDE."""
    height, width = image.shape[:2]
    scale = PICTURE_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return transforms.resize(torch.from_numpy(image).permute(2, 0, 1), size).permute(1, 2, 0).numpy()


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
