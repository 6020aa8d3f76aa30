"""One video through a model: what it shows, and where and when the evidence is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from attcell.engine.build import evaluation_plan, frame_spec
from attcell.engine.extract import BACKBONE_BATCH
from attcell.engine.inference import refuse_not_finite
from attcell.engine.model_folder import SavedModel
from attcell.nn import STAN, STANOutput
from attcell.records import Prediction
from attcell.video.decode import read_frames
from attcell.video.segments import centre_frames, segment_seconds
from attcell.video.views import attended_area, centre_view, kept_size

PICTURE_SIDE = 320  # pixels of the long side of the frames that a report shows


def predict_video(model: SavedModel, path: Path, num_segments: int | None = None) -> Prediction:
    """Predict the class of one video, and say where and when the network looked.

    Args:
        model: its network decides the device.
        path: a video file.
        num_segments: T; by default the recipe's.

    Raises:
        VideoError: the file cannot be read, or has fewer frames than T and the recipe refuses that.
        ModelError: the network's scores are not finite numbers.
    """
    plan, spec = evaluation_plan(model.recipe, num_segments), frame_spec(model.recipe.input)
    decoded = read_frames(
        path,
        lambda num: centre_frames(num, plan.num_segments, plan.short),
        size=lambda width, height: kept_size(width, height, spec),
    )
    out = run_pictures(model.network, centre_view(decoded.images, spec))
    refuse_not_finite(out.logits)
    info = decoded.info
    return Prediction(
        video=str(path),
        labels=model.labels,
        scores=_numpy(out.logits[0].softmax(dim=-1)),
        duration_seconds=info.duration_seconds,
        segments_seconds=segment_seconds(info, plan.num_segments),
        frame_seconds=info.frame_seconds[decoded.indices],
        temporal_scores=_numpy(out.temporal_scores[0]),
        temporal_attention=_numpy(out.temporal_attention[0]),
        spatial_attention={name: _numpy(maps[0]) for name, maps in out.spatial_attention.items()},
        attended_area=attended_area(info.height, info.width, spec),
        frames=np.stack([_small_picture(image) for image in decoded.images]),
        notes=info.notes,
    )


@torch.inference_mode()
def run_pictures(network: STAN, pictures: torch.Tensor) -> STANOutput:
    """Run the network on one video's (T, 3, S, S) pictures, a bounded number at a time in the backbone."""
    device = next(network.parameters()).device
    backbone = network.stream("frame").backbone
    maps = [
        backbone(part.to(device, memory_format=torch.channels_last))
        for part in pictures.split(BACKBONE_BATCH)
    ]
    return network.attend({"frame": torch.cat(maps)[None]})


def _small_picture(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) scaled so that its long side is at most PICTURE_SIDE."""
    height, width = image.shape[:2]
    scale = PICTURE_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return transforms.resize(torch.from_numpy(image).permute(2, 0, 1), size).permute(1, 2, 0).numpy()


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
