"""What is drawn of a video's sound: as a waveform, and as a network hears it. Small, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from attcell.errors import VideoError
from attcell.types import SoundTrack
from attcell.video.info import VideoInfo
from attcell.video.input_spec import InputSpec
from attcell.video.sound.log_mel import LogMel, log_mel
from attcell.video.sound.reading import RATE, SoundReader

NO_TIMES = np.empty(0)
MOST_PARTS = 1000  # along a video of any length
_PART_SECONDS = 0.02  # at least; and two rows of a log-mel picture, so that none has no row
_PEAK_SAMPLES = 80  # are joined at once
_TILES_AT_ONCE = 16


def sound_track(
    path: Path, info: VideoInfo, frame_seconds: np.ndarray = NO_TIMES, spec: InputSpec | None = None
) -> SoundTrack | None:
    """What is drawn of the sound, from the video's start to its end; None without sound.

    Args:
        path: a video file; a folder of frames and a file of features have no sound.
        info: of it.
        frame_seconds: (T,) the middles of the windows that the streams heard of the segments, in any order.
        spec: what the network's streams get; None where none hears sound.
    """
    heard = {} if spec is None else spec.hearing
    mel = None if spec is None or not heard else spec.audio.log_mel
    try:
        drawn = _Drawn(float(info.frame_seconds[0]), info.end_seconds, mel)
        if not drawn.take(SoundReader(path)):
            return None
        windows = {} if mel is None else dict.fromkeys(heard, _pictures(path, frame_seconds, mel))
    except VideoError:  # the network has no need of it, or would have said so
        return None
    return SoundTrack((drawn.start, drawn.end), drawn.peaks, drawn.loudness, windows)


def _pictures(path: Path, seconds: np.ndarray, mel: LogMel) -> np.ndarray:
    """(T, F, M) log-mel pictures around these times."""
    order = np.argsort(seconds, kind="stable")
    windows = np.empty((len(seconds), mel.num_samples), dtype=np.float32)
    reader = SoundReader(path)
    for start in range(0, len(order), _TILES_AT_ONCE):
        some = order[start : start + _TILES_AT_ONCE]
        windows[some] = reader.around(seconds[some], mel.num_samples)
    return log_mel(torch.from_numpy(windows), mel)[:, 0].numpy()


class _Drawn:
    """The whole sound in even parts.

    Args:
        start, end: of the video, in seconds.
        mel: how it is heard; None for the waveform alone.
    """

    def __init__(self, start: float, end: float, mel: LogMel | None) -> None:
        self.start, self.end, self._mel = start, end, mel
        part = _PART_SECONDS if mel is None else max(_PART_SECONDS, 2 * mel.hop / RATE)
        num_parts = min(MOST_PARTS, max(1, int((end - start) / part)))
        self._parts_a_second = num_parts / max(end - start, 1e-9)
        self.peaks = np.zeros((num_parts, 2), dtype=np.float32)
        self.loudness = None if mel is None else np.full((num_parts, mel.shape[1]), -np.inf, np.float32)

    def take(self, reader: SoundReader) -> bool:
        """Read all of it, tile after tile; False if there is none."""
        mel = self._mel
        length = RATE if mel is None else mel.num_samples
        for middles in self._tiles(RATE if mel is None else mel.shape[0] * mel.hop):
            windows = reader.around(middles, length)
            if not reader.has_sound:
                return False
            self._add_peaks(middles, windows)
            if mel is not None and self.loudness is not None:
                rows = log_mel(torch.from_numpy(windows), mel)[:, 0].numpy()
                self._join(np.maximum, self.loudness, middles[:, None] + mel.row_seconds, rows)
        return True

    def _tiles(self, stride: int) -> Iterator[np.ndarray]:
        """The middles of windows that lie side by side from the start to the end, a few at once."""
        seconds = stride / RATE
        middles = np.arange(self.start + seconds / 2, self.end + seconds / 2, seconds)
        for first in range(0, len(middles), _TILES_AT_ONCE):
            yield middles[first : first + _TILES_AT_ONCE]

    def _add_peaks(self, middles: np.ndarray, windows: np.ndarray) -> None:
        num_tiles, length = windows.shape
        pieces = np.pad(windows, ((0, 0), (0, -length % _PEAK_SAMPLES))).reshape(num_tiles, -1, _PEAK_SAMPLES)
        offsets = ((np.arange(pieces.shape[1]) + 0.5) * _PEAK_SAMPLES - length / 2) / RATE
        at = middles[:, None] + offsets
        self._join(np.minimum, self.peaks[:, 0], at, pieces.min(axis=-1))
        self._join(np.maximum, self.peaks[:, 1], at, pieces.max(axis=-1))

    def _join(self, join: np.ufunc, into: np.ndarray, seconds: np.ndarray, values: np.ndarray) -> None:
        """Join values at some times into the parts where these lie; those outside the video are left."""
        parts = np.floor((seconds - self.start) * self._parts_a_second).astype(int)
        inside = (parts >= 0) & (parts < len(into))
        join.at(into, parts[inside], values[inside])
