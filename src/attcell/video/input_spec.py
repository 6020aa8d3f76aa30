"""What each stream of a network gets of a video: the recipe's numbers, and the readers that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from attcell.errors import VideoError
from attcell.types import Hearing, Size
from attcell.video.features import FeaturesInput, is_features
from attcell.video.flow_source import FlowInput
from attcell.video.modalities import modality
from attcell.video.readers import Origin, Reader, window_span
from attcell.video.sound.source import AudioInput
from attcell.video.transforms import FrameSpec, attended_area

T = TypeVar("T")


@dataclass(frozen=True)
class InputSpec:
    """What each stream gets of a segment.

    Attributes:
        streams: names of modalities.
        frame: how frames are resized and cropped, for all streams alike.
        flow: for the flow stream.
        clip_frames: L, for the clip stream.
        features: for the features stream.
        mean: of colours from 0 to 1, red, green and blue; a network sees (colour - mean) / deviation.
        deviation: the same.
        clip_stride: frames from one of a clip's to the next.
        audio: for the audio stream.
    """

    streams: tuple[str, ...] = ("frame",)
    frame: FrameSpec = field(default_factory=FrameSpec)
    flow: FlowInput = field(default_factory=FlowInput)
    clip_frames: int = 16
    features: FeaturesInput = field(default_factory=FeaturesInput)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    clip_stride: int = 1
    audio: AudioInput = field(default_factory=AudioInput)

    def only(self, streams: Sequence[str]) -> InputSpec:
        """The same, for some of the streams."""
        return replace(self, streams=tuple(streams))

    def computing_flow(self) -> InputSpec:
        """The same, with flow from the frames instead of from a store, for a video that is in none."""
        return replace(self, flow=replace(self.flow, store=None))

    def readers(self, origin: Origin) -> dict[str, Reader]:
        """Each stream's reader of a video.

        Raises:
            VideoError: the input is on disk, and is not there or is another video's; or a stream that looks
                at pictures gets a file of features.
        """
        if origin.path is not None:
            self.refuse_features(origin.path)
        return {name: modality(name).reader(self, origin) for name in self.streams}

    def refuse_features(self, path: Path) -> None:
        """Raise a VideoError for a file of features in the place of a video whose frames or sound count."""
        if is_features(path) and (self.sees_pictures or self.hearing):
            raise VideoError(
                f"{path} holds features, and the streams are {', '.join(self.streams)}, some of which look "
                "at the video itself; give a video, or a recipe whose only stream is features"
            )

    def with_pictures(self, by_stream: Mapping[str, T]) -> dict[str, T]:
        """Those of the streams that look at pictures, of frames or of sound; features have one region, and
        nothing to be drawn."""
        return {name: of for name, of in by_stream.items() if modality(name).looks_at != "features"}

    def with_frames(self, by_stream: Mapping[str, T]) -> dict[str, T]:
        """Those of the streams that look at frames, over which their maps can be drawn."""
        return {name: of for name, of in by_stream.items() if modality(name).looks_at == "frames"}

    def attended_area(self, shown: Size) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what the centre crop shows, as fractions of a frame of this size; all
        of it where no stream looks at pictures."""
        return attended_area(shown, self.frame) if self.sees_pictures else (0.0, 0.0, 1.0, 1.0)

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """How many frames around a frame index are needed, and how many frames they are apart, by each stream
        that needs more than one."""
        entries = [modality(name) for name in self.streams]
        windows = [(entry.window(self), entry.stride(self)) for entry in entries]
        return tuple((length, stride) for length, stride in windows if length > 1)

    @property
    def longest_span(self) -> int:
        """How many frames lie from the first to the last one that is needed around a frame index."""
        return max((window_span(*window) for window in self.windows), default=1)

    @property
    def sees_pictures(self) -> bool:
        """Whether there is a stream that looks at frames."""
        return any(modality(name).looks_at == "frames" for name in self.streams)

    @property
    def hearing(self) -> dict[str, Hearing]:
        """Stream → what its maps over time and frequency cover, for those that hear sound."""
        of = self.audio.log_mel
        covered = Hearing(of.window_seconds, of.hertz)
        return {name: covered for name in self.streams if modality(name).looks_at == "sound"}

    @property
    def needs_store(self) -> bool:
        """Whether there is a stream whose input lies on disk beside the videos."""
        return any(modality(name).is_stored(self) for name in self.streams)
