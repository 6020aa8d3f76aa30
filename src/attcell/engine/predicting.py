"""One video through a model: what it shows, and where and when the evidence is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from attcell.engine.build import evaluation_plan, input_spec
from attcell.engine.extract import feature_maps
from attcell.engine.inference import as_scores, refuse_not_finite
from attcell.engine.model_folder import SavedModel
from attcell.errors import CallError
from attcell.nn import Network, Output
from attcell.records import Prediction
from attcell.video.flow_codes import source_of
from attcell.video.modalities import Canvas, make_canvas, read_moments
from attcell.video.segments import segment_seconds
from attcell.video.views import attended_area, centre_crop

PICTURE_SIDE = 320  # pixels of the long side of the frames that a report shows


def predict_video(model: SavedModel, path: Path, num_segments: int | None = None) -> Prediction:
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
    moments, info = read_moments(path, spec, plan.instants)
    size = plan.canvas_size(moments.size, spec.frame)
    canvas = make_canvas(moments, spec, size, source_of(spec.flow, device=device.type))
    out = run_pictures(model.network, canvas.view(spec, centre_crop(size, spec.frame)))
    refuse_not_finite(out.logits)
    return Prediction(
        video=str(path),
        labels=model.labels,
        scores=_numpy(as_scores(out.logits[0], model.recipe.score_rule)),
        duration_seconds=info.duration_seconds,
        segments_seconds=segment_seconds(info, plan.segments_of(info.num_frames)),
        frame_seconds=info.frame_seconds[moments.instants],
        temporal_scores=_numpy(out.temporal_scores[0]),
        temporal_attention=_numpy(out.temporal_attention[0]),
        temporal_attention_by_stream={
            name: _numpy(weights[0]) for name, weights in out.temporal_attention_by_stream.items()
        },
        stream_weights=out.stream_weights,
        gates={name: _numpy(gates[0]) for name, gates in out.gates.items()},
        spatial_attention={name: _numpy(maps[0]) for name, maps in out.spatial_attention.items()},
        attended_area=attended_area(info.height, info.width, spec.frame),
        frames=np.stack([small_picture(moments.images[index]) for index in moments.instants.tolist()]),
        flow=small_flow(canvas) if "flow" in spec.streams else None,
        notes=info.notes,
    )


@torch.inference_mode()
def run_pictures(network: Network, view: dict[str, torch.Tensor]) -> Output:
    """Run the network on one view of a video, stream → (T, ...), a bounded part at a time."""
    device = next(network.parameters()).device
    maps = {name: feature_maps(network.stream(name), inputs[None], device) for name, inputs in view.items()}
    return network.attend(maps)


def small_flow(canvas: Canvas) -> np.ndarray:
    """(T, 2, h, w): the mean of each segment's fields, at most PICTURE_SIDE wide and high."""
    flow = canvas.mean_flow()
    scale = PICTURE_SIDE / max(canvas.size)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in canvas.size]
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
