"""The samples of one stretch of a stream: from its beginning, or from where frames are missing, to the next
such place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from attcell.inference.predict import small_flow, small_picture
from attcell.types import Size
from attcell.video._passes import Picture
from attcell.video.info import VideoInfo
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import resize_frames
from attcell.video.live.source import Came, Ended, LiveFrame
from attcell.video.parts import DenseSampling
from attcell.video.readers import Origin
from attcell.video.transforms import centre_crop, centre_size

AT_ONCE = 5  # samples, a second of 25 frames a second with one every 5
_KNOWN_TIMES = 4096  # of the latest frames


@dataclass(frozen=True, eq=False)
class LiveSamples:
    """Some samples that follow each other.

    Attributes:
        views: stream → (t, ...).
        seconds: (t,) when their frames are shown in the stream.
        arrived: (t,) when these were decoded, by ``time.monotonic``.
        pictures: of each sample; none where nobody asked for them.
        flow: (t, 2, h, w); None without a flow stream.
        size: of the frames as they are kept.
    """

    views: dict[str, Tensor]
    seconds: np.ndarray
    arrived: np.ndarray
    pictures: list[np.ndarray]
    flow: np.ndarray | None
    size: Size


class Stretch:
    """Iterate it once; then ``ended_by`` tells what came in place of a frame.

    Args:
        came: what comes of a stream.
        spec: what each stream of the network gets.
        every: frames from one sample to the next.
        device: where flow is computed.
        pictures: keep what a page shows.
    """

    def __init__(
        self, came: Iterator[Came], spec: InputSpec, every: int, device: str, *, pictures: bool
    ) -> None:
        self._came, self._spec, self._every = came, spec, every
        self._device, self._pictures = device, pictures
        self._known: deque[tuple[float, float]] = deque(maxlen=_KNOWN_TIMES)
        self._num_frames = 0
        self.size = Size(1, 1)
        self.latest = 0.0  # seconds of the latest frame
        self.ended_by: Came = Ended()

    def __iter__(self) -> Iterator[LiveSamples]:
        spec = self._spec
        readers = spec.readers(Origin(None, None, self._device))
        for sampled in DenseSampling(Path("stream"), spec, self._every, AT_ONCE, source=self):
            self.size = sampled.size
            size = centre_size(sampled.size, spec.frame)
            resized = resize_frames(sampled, spec, size, readers)
            view = resized.view(centre_crop(size, spec.frame))
            indices = sampled.frame_indices.tolist()
            pictures = [small_picture(sampled.images[index]) for index in indices] if self._pictures else []
            yield LiveSamples(
                {name: view[name] for name in spec.streams},
                sampled.seconds,
                np.array([self._of(index)[1] for index in indices]),
                pictures,
                small_flow(resized) if self._pictures else None,
                sampled.size,
            )

    # What DenseSampling takes its frames from.

    def pictures(self) -> Iterator[Picture]:
        """Each frame of the stretch."""
        for came in self._came:
            if not isinstance(came, LiveFrame):
                self.ended_by = came
                return
            self._known.append((came.seconds, came.arrived))
            self._num_frames += 1
            self.latest = came.seconds
            yield partial(np.asarray, came.image)

    def times(self, frame_indices: np.ndarray) -> np.ndarray:
        """(n,) seconds of some of the latest frames."""
        return np.array([self._of(index)[0] for index in frame_indices.tolist()])

    @property
    def info(self) -> VideoInfo:
        """What is still known of it."""
        seconds = np.array([seconds for seconds, _ in self._known])
        return VideoInfo(self._num_frames, seconds, self.latest, self.size)

    def _of(self, index: int) -> tuple[float, float]:
        return self._known[index - self._num_frames + len(self._known)]
