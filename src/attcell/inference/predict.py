"""One video through a model: what it shows, and where and when the evidence is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from attcell.errors import CallError
from attcell.inference.model import Model
from attcell.inference.run import as_scores, refuse_not_finite, run_pictures
from attcell.models.build import evaluation_plan, input_spec
from attcell.types import AttentionTrack, Prediction
from attcell.video.inputs import ResizedFrames, read_sampled_frames, resize_frames
from attcell.video.modalities import Origin
from attcell.video.sampling import segment_seconds
from attcell.video.transforms import attended_area, centre_crop

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
    device = next(model.network.parameters()).device
    sampled_frames, info = read_sampled_frames(path, spec, plan.frame_indices)
    size = plan.resized_size(sampled_frames.size, spec.frame)
    resized_frames = resize_frames(sampled_frames, spec, size, spec.readers(Origin(device=device.type)))
    out = run_pictures(model.network, resized_frames.view(centre_crop(size, spec.frame)))
    refuse_not_finite(out.logits)
    return Prediction(
        video=str(path),
        labels=model.labels,
        scores=_numpy(as_scores(out.logits[0], model.recipe.score_rule)),
        duration_seconds=info.duration_seconds,
        segments=AttentionTrack(
            seconds=segment_seconds(info, plan.segments_of(info.num_frames)),
            frame_seconds=info.frame_seconds[sampled_frames.frame_indices],
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
        frames=np.stack(
            [small_picture(sampled_frames.images[index]) for index in sampled_frames.frame_indices.tolist()]
        ),
        flow=small_flow(resized_frames),
        notes=info.notes,
    )


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
