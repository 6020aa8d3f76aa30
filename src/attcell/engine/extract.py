"""Computing the feature maps of frozen backbones once, for training and testing to draw from.

Each stream has a store of its own, so that a network of other streams finds what is there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from attcell.data.dataset import PlannedViews, ViewPlan, Views
from attcell.data.digests import DigestBook
from attcell.data.feature_store import FeatureStore
from attcell.engine.background import Background
from attcell.engine.weights import state_digest
from attcell.errors import VideoError
from attcell.nn import Branch, Network, PooledStream, Stream
from attcell.progress import track
from attcell.records import VideoRecord
from attcell.video.flow_codes import flow_files_of
from attcell.video.modalities import InputSpec

DECODING_VERSION = 2  # raise it when the same video would give other frames
BACKBONE_BATCH = 32


def feature_store(
    folder: Path, name: str, stream: Stream | Branch | PooledStream, spec: InputSpec, plan: ViewPlan
) -> FeatureStore:
    """The store of what a stream's backbone makes of these views."""
    flow = {**asdict(spec.flow), "store": spec.flow.store is not None}  # a store is named video by video
    of_stream: dict[str, dict[str, Any]] = {
        "frame": {},
        "flow": {"flow": {key: str(value) for key, value in flow.items()}},
        "clip": {"clip_frames": spec.clip_frames},
    }
    backbone = stream.backbone
    made_by = {
        "stream": name,
        "backbone": backbone.name,
        "tap": backbone.tap,
        "weights": state_digest(backbone),
        "input": asdict(spec.frame),
        "normalise": None if stream.normalise is None else stream.normalise.figures(),
        "views": asdict(plan),
        "decoding": DECODING_VERSION,
        **of_stream[name],
    }
    flow_store = spec.flow.store if name == "flow" else None
    with_flow = None if flow_store is None else partial(_name_with_flow, DigestBook(folder), flow_store)
    return FeatureStore(folder, made_by, with_flow)


def _name_with_flow(book: DigestBook, store: Path, video: Path, frames: range | None) -> str:
    """A name for a video's content and what its flow on disk was made by, for that may be made again."""
    flow = flow_files_of(store, video)
    described = str(flow.path) if flow.description is None else json.dumps(flow.description, sort_keys=True)
    return hashlib.sha256(f"{book.digest(video, frames)} {described}".encode()).hexdigest()[:24]


def extract_features(
    stores: Mapping[str, FeatureStore],
    network: Network,
    records: Sequence[VideoRecord],
    spec: InputSpec,
    plan: ViewPlan,
    *,
    workers: int,
    device: torch.device,
) -> dict[str, str]:
    """Fill each stream's store with what it lacks, and return video id → message of what cannot be read."""
    lacking = {
        name: {record.id for record in records if not store.holds(record)} for name, store in stores.items()
    }
    wanted = spec.only([name for name in spec.streams if lacking[name]])
    missing = [record for record in records if any(record.id in ids for ids in lacking.values())]
    if not missing:  # processes that decode nothing would still have to be started
        return {}
    loader: Iterable[Views | VideoError] = DataLoader(
        PlannedViews(missing, wanted, plan), batch_size=None, num_workers=workers
    )
    failed = {}
    network.eval()
    pairs = zip(missing, loader, strict=True)
    with Background() as writing:
        for record, views in track(pairs, len(missing), "features"):
            if isinstance(views, VideoError):
                failed[record.id] = str(views)
                continue
            for name, inputs in views.inputs.items():
                if record.id in lacking[name]:
                    maps = feature_maps(network.stream(name), inputs, device).half().cpu()
                    writing.do(partial(stores[name].write, record, maps, views.notes))
    return failed


@torch.inference_mode()
def feature_maps(stream: Stream | Branch | PooledStream, views: Tensor, device: torch.device) -> Tensor:
    """(V, T, ...) views to (V, T, F, K, K) feature maps, a bounded number of pictures at a time."""
    frames_each = views.shape[3] if stream.backbone.takes == "clip" else 1
    parts = views.flatten(0, 1).split(max(1, BACKBONE_BATCH // frames_each))
    maps = [stream.feature_maps(part[None].to(device))[0] for part in parts]
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
