"""Computing the feature maps of frozen backbones once, for training and testing to draw from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from attcell.data.dataset import PlannedViews, ViewPlan, Views
from attcell.data.feature_store import FeatureStore
from attcell.engine.weights import state_digest
from attcell.errors import VideoError
from attcell.nn import Backbone
from attcell.progress import track
from attcell.records import VideoRecord
from attcell.video.views import FrameSpec

DECODING_VERSION = 2  # raise it when the same video would give other frames
BACKBONE_BATCH = 32


def feature_store(folder: Path, backbone: Backbone, spec: FrameSpec, plan: ViewPlan) -> FeatureStore:
    """The store of what this backbone makes of these views."""
    made_by = {
        "backbone": backbone.name,
        "tap": backbone.tap,
        "weights": state_digest(backbone),
        "input": asdict(spec),
        "views": asdict(plan),
        "decoding": DECODING_VERSION,
    }
    return FeatureStore(folder, made_by)


def extract_features(
    store: FeatureStore,
    backbone: Backbone,
    records: Sequence[VideoRecord],
    spec: FrameSpec,
    plan: ViewPlan,
    *,
    workers: int,
    device: torch.device,
) -> dict[str, str]:
    """Fill the store with what it lacks, and return video id → message of those that cannot be read."""
    missing = [record for record in records if not store.holds(record)]
    loader: Iterable[Views | VideoError] = DataLoader(
        PlannedViews(missing, spec, plan), batch_size=None, num_workers=workers
    )
    failed = {}
    backbone.eval()
    pairs = zip(missing, loader, strict=True)
    for record, views in track(pairs, len(missing), "features"):
        if isinstance(views, VideoError):
            failed[record.id] = str(views)
        else:
            store.write(record, feature_maps(backbone, views.inputs["frame"], device), views.notes)
    return failed


@torch.inference_mode()
def feature_maps(backbone: Backbone, views: Tensor, device: torch.device) -> Tensor:
    """(V, T, C, H, W) pictures to (V, T, F, K, K) feature maps, a bounded number of pictures at a time."""
    parts = views.flatten(0, 1).split(BACKBONE_BATCH)
    maps = [backbone(part.to(device, memory_format=torch.channels_last)) for part in parts]
    return torch.cat(maps).contiguous().unflatten(0, views.shape[:2])


def channel_figures(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel over feature maps (..., F, K, K), in double precision inside."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for maps in batches:
        rows = maps.flatten(end_dim=-4).double()
        count += rows.shape[0] * rows.shape[-1] * rows.shape[-2]
        total = total + rows.sum(dim=(0, 2, 3))
        squares = squares + rows.square().sum(dim=(0, 2, 3))
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()
