"""What an annotation says: classes, and the videos of each part."""

from __future__ import annotations

from dataclasses import dataclass, field

from attcell.records import ActionInstance


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """One video, as the annotation names it.

    Attributes:
        id: its name inside the data set, with forward slashes where classes are folders
            (``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi``), else without suffix (``video_test_0000324``).
        labels: its classes, counted from 0 and rising; empty if it is of none, or if they are not told.
        group: what it shares people or place with (``ApplyEyeMakeup_g08``); empty if that is not known.
        instances: its actions in time, where the annotation tells them.
        duration_seconds: its length, where the annotation tells it.
    """

    id: str
    labels: tuple[int, ...]
    group: str = ""
    instances: tuple[ActionInstance, ...] = ()
    duration_seconds: float | None = None


@dataclass(frozen=True)
class Annotation:
    """The annotation of a data set, or of one of its splits.

    Attributes:
        labels: the A class names; ``AnnotatedVideo.labels`` count in them from 0.
        parts: the videos of ``train``, ``validation``, ``test`` and ``unused``, as far as there are such;
            ActivityNet's keep their own names.
        multi_label: whether a video may be of several classes.
        ambiguous: intervals that are neither action nor background, with the label ``Ambiguous``.
        notes: what is odd in the files and yet no error. Two annotations may be equal with other notes.
    """

    labels: tuple[str, ...]
    parts: dict[str, tuple[AnnotatedVideo, ...]]
    multi_label: bool = False
    ambiguous: tuple[ActionInstance, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)
