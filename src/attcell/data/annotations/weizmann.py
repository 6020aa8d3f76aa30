"""Weizmann: 10 actions by 9 actors, ``CLASS/ACTOR_CLASS.avi``; each split leaves one actor out."""

from __future__ import annotations

from pathlib import Path

from attcell.data.annotations.records import AnnotatedVideo, Annotation
from attcell.errors import DataError


def read(folder: Path, split: int) -> Annotation:
    """Read the names of the videos, for there are no other files.

    Args:
        folder: with a folder for each class. A second take (``lena_run2.avi``) is of its class folder too.
        split: which of the actors, in alphabetical order and from 1, is tested on; the others are trained on.

    Raises:
        DataError: no such videos, or fewer actors than that.
    """
    paths = sorted(folder.glob("*/*_*.avi"))
    labels = tuple(sorted({path.parent.name for path in paths}))
    actors = sorted({path.stem.split("_")[0] for path in paths})
    if len(actors) < 2:
        raise DataError(f"{folder}: no Weizmann videos of two actors; expected such as wave1/daria_wave1.avi")
    if split > len(actors):
        raise DataError(f"{folder}: there is no actor {split} to test on, for there are {len(actors)}")
    parts: dict[str, list[AnnotatedVideo]] = {"train": [], "test": []}
    for path in paths:
        actor = path.stem.split("_")[0]
        video = AnnotatedVideo(
            path.relative_to(folder).as_posix(), (labels.index(path.parent.name),), group=actor
        )
        parts["test" if actor == actors[split - 1] else "train"].append(video)
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()})
