"""A video's planned views in parts of consecutive segments, in one pass of decoding and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from attcell.video.flow_source import source_of
from attcell.video.info import VideoInfo
from attcell.video.modalities import (
    InputSpec,
    ResizedFrames,
    SampledFrames,
    read_sampled_frames,
    resize_frames,
)
from attcell.video.sampling import ViewPlan


@dataclass(frozen=True, eq=False)
class ViewPart:
    """What a plan sees of t consecutive segments.

    Attributes:
        start: index of the first of these segments. A part with ``start`` 0 is the first one; when another
            one with ``start`` 0 follows, the file turned out to have another number of frames than it
            promised, or to be damaged: all parts before it are void, and the video begins again.
        sampled_frames: the decoded frames around the segments' instants.
        resized_frames: the same as views are cut from them, with their flow.
        views: stream -> (V, t, ...) uint8: V crops, or positions and then their mirror images.
    """

    start: int
    sampled_frames: SampledFrames
    resized_frames: ResizedFrames
    views: dict[str, Tensor]

    @property
    def frame_indices(self) -> np.ndarray:
        """(t,) int64, the frame that stands for each segment; all of one position, then of the next."""
        return self.sampled_frames.frame_indices


class ViewParts:
    """The views of one video part by part; after the last part ``info`` tells what the video held.

    Iterate it once. However many segments the plan wants, the decoded frames and the views of about one part
    are held. A video whose frames fit into one part gives just that, and never begins again.

    Args:
        path: a video file, or a folder of frames.
        spec: what each stream gets.
        plan: which segments and crops.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        device: where flow is computed.
        compiled: compile its inner loop.

    Raises:
        VideoError: on iteration, the file cannot be read, has too few frames for the plan, or its flow on
            disk is not its own. This may come after some parts: they are void.
    """

    def __init__(
        self,
        path: Path,
        spec: InputSpec,
        plan: ViewPlan,
        frames: range | None = None,
        *,
        device: str = "cpu",
        compiled: bool = False,
    ) -> None:
        self._video = path, frames
        self._spec = spec
        self._plan = plan
        self._flow_on = {"device": device, "compiled": compiled}
        self._info: VideoInfo | None = None

    def __iter__(self) -> Iterator[ViewPart]:
        spec, plan = self._spec, self._plan
        path, frames = self._video
        store = path if spec.needs_store else None
        flow = source_of(spec.flow, store, frames, **self._flow_on)  # type: ignore[arg-type]
        sampled_frames, self._info = read_sampled_frames(path, spec, plan.frame_indices, frames)
        size = plan.resized_size(sampled_frames.size, spec.frame)
        resized_frames = resize_frames(sampled_frames, spec, size, flow)
        seen = [resized_frames.view(spec, crop) for crop in plan.crops(size, spec.frame)]
        views = {
            name: torch.cat([view[name].unflatten(0, (plan.num_positions, -1)) for view in seen])
            for name in spec.streams
        }
        yield ViewPart(0, sampled_frames, resized_frames, views)

    @property
    def info(self) -> VideoInfo:
        """What the video held, once all parts were taken."""
        assert self._info is not None, "iterate first"
        return self._info
