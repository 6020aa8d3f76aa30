"""Videos without sound, for networks that hear: refused before long work, or counted and said once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import av

from attcell._paths import is_there
from attcell.config.recipe import Recipe
from attcell.data.remembered import Check, cached_answers
from attcell.errors import DataError, VideoError, first_lines
from attcell.models.build import input_spec
from attcell.types import Prediction, VideoRecord
from attcell.video.input_spec import InputSpec
from attcell.video.sound.check import frames_without_sound, has_sound
from attcell.video.sound.source import NO_SOUND

_SOUND, _NONE = "sound", "none"
_VERSION = f"1 {av.__version__}"  # raise it when other sound can be read


def refuse_unheard(recipe: Recipe, records: Sequence[VideoRecord]) -> None:
    """Raise a DataError that names the videos without sound, or without any around some of their frames, if
    the recipe hears sound and refuses that.

    By their packets, before long work; what was found whole is remembered while the files stay the same.
    Videos that cannot be read are named by whoever reads them.
    """
    spec = input_spec(recipe)
    if not spec.hearing or spec.audio.missing != "refuse":
        return
    window = spec.audio.log_mel.window_seconds
    found = cached_answers([_whole(record, spec, window) for record in records], "listening")
    unheard = [str(answer) for answer in found if isinstance(answer, DataError)]
    if unheard:
        raise DataError(
            "\n".join(
                [
                    f"{len(unheard)} of {len(records)} videos have no sound or too little of it, and "
                    "audio.missing is refuse. Leave them out of the source, or set audio.missing=silence:",
                    *first_lines(unheard),
                ]
            )
        )


def _whole(record: VideoRecord, spec: InputSpec, window: float) -> Check:
    path = record.path

    def find() -> str:
        if not has_sound(path):
            raise DataError(f"{path}: no sound")
        lacking = frames_without_sound(path, window)
        if lacking:
            raise DataError(f"{path}: no sound was recorded within {window / 2:.2g} s of {lacking} frames")
        return _SOUND

    return Check(f"sound {_VERSION} whole {window} {path.absolute()}", (path,), find)


def silent_ids(recipe: Recipe, records: Sequence[VideoRecord]) -> list[str]:
    """The ids of the videos that have no stream of sound, if the recipe hears any; by the files' headers,
    which are remembered. Videos that cannot be read are not among them.
    """
    if not input_spec(recipe).hearing:
        return []
    checks = [
        Check(f"sound {_VERSION} {record.path.absolute()}", (record.path,), partial(_header, record))
        for record in records
    ]
    answers = cached_answers(checks, "looking for sound")
    return [record.id for record, answer in zip(records, answers, strict=True) if answer == _NONE]


def _header(record: VideoRecord) -> str:
    if not is_there(record.path):
        raise VideoError(f"{record.path}: there is no such file")
    return _SOUND if has_sound(record.path) else _NONE


def silence_sentences(without: Sequence[str], num_videos: int) -> tuple[str, ...]:
    """One sentence on the videos that had no sound, with one's name; none where all had some."""
    if not without:
        return ()
    have = "has" if len(without) == 1 else "have"
    return (
        f"{len(without)} of {num_videos} videos {have} no sound, such as {without[0]}; silence was given",
    )


def but_silence(notes: Iterable[str]) -> tuple[str, ...]:
    """Notes without those that a video has no sound, which are counted and said once."""
    return tuple(note for note in notes if not note.endswith(NO_SOUND))


class Notes:
    """What is said of several videos, one after another: notes on each, and at the end how many had no sound.

    Of one video alone its note says so.

    Args:
        num_videos: how many will come.
    """

    def __init__(self, num_videos: int) -> None:
        self._is_one = num_videos == 1
        self._num_read = 0
        self._silent: list[str] = []

    def of(self, prediction: Prediction) -> list[str]:
        """The lines on the next video that was read."""
        self._num_read += 1
        if NO_SOUND in prediction.notes:
            self._silent.append(prediction.video)
        notes = prediction.notes if self._is_one else but_silence(prediction.notes)
        return [f"{prediction.video}: {note}" for note in notes]

    def at_the_end(self) -> tuple[str, ...]:
        """The lines on all of them."""
        return () if self._is_one else silence_sentences(self._silent, self._num_read)
