"""A model on one video, moment by moment: one pass of decoding, and memory that does not grow with length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from attcell.engine.build import input_spec
from attcell.engine.extract import feature_maps
from attcell.engine.inference import refuse_not_finite
from attcell.engine.model_folder import SavedModel
from attcell.nn.watching import Part, watcher
from attcell.video.decoded import VideoInfo
from attcell.video.dense import EveryMoment
from attcell.video.flow_codes import source_of
from attcell.video.modalities import Canvas, Moments, make_canvas
from attcell.video.motion import worth_compiling
from attcell.video.views import FrameSpec, centre_crop, centre_size

SAMPLES_AT_ONCE = 16
VIDEO_FRAMES = 250  # of a data set's usual video: so much more of one video is as good as many videos


@dataclass(frozen=True, eq=False)
class Seen:
    """Some samples that follow each other, and what the network says of them."""

    moments: Moments
    canvas: Canvas
    part: Part


class Watch:
    """One pass of a model over a video. Iterate it once; then it tells the times and the classes.

    Args:
        model: its network decides the device.
        path: a video file, or a folder of frames.
        every: frames from one sample to the next.
        num_frames: about how many frames there are, of all videos that are watched one after another; flow
            is compiled where that pays.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        stored_flow: take flow from the store that the recipe names, in place of computing it.

    Raises:
        CallError: a model that says nothing of single moments.
        VideoError: on iteration, the file cannot be read, or the store lacks its flow.
        ModelError: on iteration, the network's scores are not finite numbers.
    """

    def __init__(
        self,
        model: SavedModel,
        path: Path,
        every: int,
        num_frames: int = 0,
        frames: range | None = None,
        *,
        stored_flow: bool = False,
    ) -> None:
        self._network = model.network
        self._watcher = watcher(model.network)
        self._every = every
        spec = input_spec(model.recipe)
        self._spec = spec if stored_flow else spec.computing_flow()
        self._video = path, frames
        self._moments = EveryMoment(path, self._spec, every, SAMPLES_AT_ONCE, frames)
        self._num_frames = num_frames

    def __iter__(self) -> Iterator[Seen]:
        spec, device = self._spec, next(self._network.parameters()).device
        as_videos = self._num_frames // VIDEO_FRAMES
        compiled = worth_compiling(as_videos, device.type)
        flow = source_of(spec.flow, *self._video, device=device.type, compiled=compiled)
        for moments in self._moments:
            size = centre_size(moments.size, spec.frame)
            canvas = make_canvas(moments, spec, size, flow)
            view = canvas.view(spec, centre_crop(size, spec.frame))
            part = self._watcher.look(
                {
                    name: feature_maps(self._network.stream(name), inputs[None], device)
                    for name, inputs in view.items()
                }
            )
            refuse_not_finite(torch.cat([part.logits.flatten(), part.temporal_scores]))
            yield Seen(moments, canvas, part)

    @property
    def info(self) -> VideoInfo:
        """What the video held, once all of it was seen."""
        return self._moments.info

    @property
    def frame(self) -> FrameSpec:
        """How frames were resized and cropped."""
        return self._spec.frame

    @property
    def logits(self) -> torch.Tensor:
        """(A,) class scores of the whole video (Eq. 8), once all of it was seen."""
        return self._watcher.logits()

    def seconds(self) -> np.ndarray:
        """(T, 2) the part of the video that each sample stands for: from its frame to the next sample's.

        *Reading*: what is found ends ``every`` frames after its last sample, or with the video.
        """
        starts = self.info.frame_seconds[:: self._every]
        return np.stack([starts, np.append(starts[1:], self.info.end_seconds)], axis=1)
