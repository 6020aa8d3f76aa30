"""What an audio stream gets of a video: log-mel pictures of the sound around some times, or of silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attcell.choices import MissingSound
from attcell.errors import VideoError
from attcell.video.sound.log_mel import LogMel, log_mel
from attcell.video.sound.reading import SoundReader
from attcell.video.sound.stream import DAMAGED

NO_SOUND = "the video has no sound: silence stands for it"
NOT_RECORDED = "segments lie where no sound was recorded: silence stands for it"


@dataclass(frozen=True)
class AudioInput:
    """What the audio stream gets of a segment.

    Attributes:
        log_mel: how sound becomes a picture.
        missing: what stands for sound that a video does not have: ``silence``, or it is refused.
    """

    log_mel: LogMel = field(default_factory=LogMel)
    missing: MissingSound = "silence"

    @property
    def described(self) -> dict[str, Any]:
        """What its pictures depend on, by the recipe's keys."""
        of = self.log_mel
        return {
            "audio.form": of.form,
            "audio.bands": of.shape[1],
            "audio.window": of.window,
            "audio.hop": of.hop,
            "audio.rows": of.shape[0],
        }

    @property
    def words(self) -> str:
        """The same for people."""
        rows, bands = self.log_mel.shape
        return f"log-mel as {self.log_mel.form} has it, {rows} rows of {bands} bands, {self.missing} for none"


class SoundSource:
    """Pictures of a video's sound, forward in time and in constant memory.

    Args:
        path: a video file; a folder of frames has no sound; None where the video has no place on disk.
        audio: how.

    Raises:
        VideoError: of :meth:`pictures`, the video has no sound there, and the recipe refuses that.
    """

    def __init__(self, path: Path | None, audio: AudioInput) -> None:
        self._path, self._audio = path, audio
        self._reader = None if path is None else SoundReader(path)

    def pictures(self, seconds: np.ndarray) -> Tensor:
        """(n, 1, F, M) float32, of the sound around these times (n,)."""
        spec, reader = self._audio.log_mel, self._reader
        if reader is None:
            windows = np.zeros((len(seconds), spec.num_samples), dtype=np.float32)
        else:
            windows = reader.around(seconds, spec.num_samples)
        if self._audio.missing == "refuse":
            refuse_missing(str(self._path), self.notes_on_missing)
        return log_mel(torch.from_numpy(windows), spec)

    @property
    def notes_on_missing(self) -> tuple[str, ...]:
        """What of the sound is missing so far."""
        reader = self._reader
        if reader is None or not reader.has_sound:
            return (NO_SOUND,)
        if reader.num_silent:
            return (f"{reader.num_silent} of {reader.num_windows} {NOT_RECORDED}",)
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know of the sound so far."""
        return (*(() if self._reader is None else self._reader.notes), *self.notes_on_missing)


def is_on_missing(note: str) -> bool:
    """Whether a note says that silence stood for sound, of all of the video or a part of it."""
    return note.endswith((NO_SOUND, NOT_RECORDED))


def refuse_missing(video: str, notes: Iterable[str]) -> None:
    """Raise a VideoError for a video on which there is a note that sound is missing."""
    for note in filter(is_on_missing, notes):
        raise VideoError(
            f"{video}: {note.partition(':')[0]}, and audio.missing is refuse; leave the video out, or set "
            "audio.missing to silence"
        )


def uncounted(notes: Iterable[str]) -> tuple[str, ...]:
    """Notes without counts of what was missing in some segments: a training draws others each time."""
    found = (f"some {NOT_RECORDED}" if note.endswith(NOT_RECORDED) else note for note in notes)
    return tuple(f"{DAMAGED}: they are silence" if note.startswith(DAMAGED) else note for note in found)
