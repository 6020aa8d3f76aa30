"""What a file's sound is worth to a network, before one hears it: is there any, how loud, where is none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from attcell._paths import is_folder
from attcell.video._container import open_container
from attcell.video.features import is_features
from attcell.video.sound.stream import Tally, frames_of, sound_stream

SILENT_PEAK = 0.001  # of full scale, -60 dB: a sound that is never louder is silent all through
FULL_SCALE = 0.9999  # from here on a sample cannot be told from a louder one
CLIPPING_SHARE = 0.001  # of the samples: a loud sound touches full scale, and a clipped one stays there


@dataclass(frozen=True)
class SoundLevels:
    """How loud the sound of a video is, all of its channels and all of its length together.

    Attributes:
        peak: the largest sample, of full scale 1; 0 where nothing decodes.
        at_full_scale: share of the samples.
        notes: on several streams, and on damage.
    """

    peak: float
    at_full_scale: float
    notes: tuple[str, ...] = ()

    @property
    def is_silent(self) -> bool:
        """All through, or hardly to be heard."""
        return self.peak < SILENT_PEAK

    @property
    def clips(self) -> bool:
        """Whether it was recorded louder than it could be."""
        return self.at_full_scale >= CLIPPING_SHARE

    @property
    def peak_db(self) -> float | None:
        """The peak in dB of full scale; None for digital silence, which has none."""
        return 20 * math.log10(self.peak) if self.peak else None


def sound_levels(path: Path) -> SoundLevels | None:
    """How loud a file's sound is, by decoding all of it; None where there is none.

    Raises:
        VideoError: the file is missing or empty, or FFmpeg cannot read it.
    """
    if is_folder(path) or is_features(path):
        return None
    tally, peak, num_full, num_samples = Tally(), 0.0, 0, 0
    with open_container(path) as container:
        stream = sound_stream(container, tally)
        if stream is None:
            return None
        for frame in frames_of(container, stream, tally):
            samples, full_scale = _magnitudes(frame.to_ndarray())
            peak = max(peak, float(samples.max()))
            num_full += int(np.count_nonzero(samples >= full_scale))
            num_samples += samples.size
    return SoundLevels(peak, num_full / max(num_samples, 1), tuple(tally.notes()))


def _magnitudes(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """Magnitudes of samples in any of FFmpeg's formats, of full scale 1, and what counts as full scale."""
    if samples.dtype.kind == "f":
        return np.abs(np.nan_to_num(samples)), FULL_SCALE
    half = float(2 ** (8 * samples.dtype.itemsize - 1))
    middle = half if samples.dtype.kind == "u" else 0.0
    return np.abs(samples - middle) / half, min(FULL_SCALE, 1 - 1 / half)


def has_sound(path: Path) -> bool:
    """Whether a file has a stream of sound that FFmpeg can decode, by its header.

    Raises:
        VideoError: the file is missing or empty, or FFmpeg cannot read it.
    """
    if is_folder(path) or is_features(path):
        return False
    with open_container(path) as container:
        return sound_stream(container, Tally()) is not None


def frames_without_sound(path: Path, window_seconds: float) -> int:
    """Around how many of a video's frames no sound was recorded, by its packets; nothing is decoded.

    Args:
        path: a video file with a stream of sound.
        window_seconds: how long the sound around a frame is.

    Raises:
        VideoError: the file is missing or empty, or FFmpeg cannot read it.
    """
    shown: list[float] = []
    recorded: list[tuple[float, float]] = []
    with open_container(path) as container:
        sound, pictures = sound_stream(container, Tally()), container.streams.best("video")
        for packet in _packets(container):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or not packet.size:
                continue
            at = float(stamp * packet.time_base)
            if packet.stream is pictures:
                shown.append(at)
            elif packet.stream is sound:
                recorded.append((at, at + float((packet.duration or 0) * packet.time_base)))
    starts, ends = np.array(sorted(recorded), dtype=float).reshape(-1, 2).T
    begun = np.searchsorted(starts, np.array(shown) + window_seconds / 2)  # of these the latest end counts
    latest = np.maximum.accumulate(np.concatenate([[-np.inf], ends]))
    return int((latest[begun] <= np.array(shown) - window_seconds / 2).sum())


def _packets(container: InputContainer) -> Iterator[av.Packet]:
    """Those up to where the file is cut off, of which tells what decodes it."""
    with suppress(av.FFmpegError):
        yield from container.demux()
