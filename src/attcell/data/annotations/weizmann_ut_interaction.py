"""Weizmann and UT-Interaction: small sets without annotation files, whose names of videos say everything.

*Weizmann*: 10 actions by 9 actors, ``CLASS/ACTOR_CLASS.avi``; each split leaves one actor out.

*UT-Interaction*: cut-out clips ``NUMBER_SEQUENCE_LABEL.avi``; each split leaves one sequence out.
"""

from __future__ import annotations

import re
from pathlib import Path

from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import DataError

_UT_LABELS = ("shake", "hug", "kick", "point", "punch", "push")
_UT_NAME = re.compile(r"(\d+)_(\d+)_([0-5])")


def read_weizmann(folder: Path, split: int) -> Annotation:
    """Read the names of the videos; there are no other files.

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
        raise DataError(f"{folder}: there is no actor {split} to test on; there are {len(actors)}")
    parts: dict[str, list[AnnotatedVideo]] = {"train": [], "test": []}
    for path in paths:
        actor = path.stem.split("_")[0]
        video = AnnotatedVideo(
            path.relative_to(folder).as_posix(), (labels.index(path.parent.name),), group=actor
        )
        parts["test" if actor == actors[split - 1] else "train"].append(video)
    return Annotation(labels, {part: tuple(videos) for part, videos in parts.items()})


def read_ut_interaction(folder: Path, split: int) -> Annotation:
    """Read the names of the clips of one set; there are no other files.

    Args:
        folder: with the clips of one set.
        split: which of the sequences, in rising order and from 1, is tested on; the others are trained on.

    Raises:
        DataError: no such clips, a name of another form, or fewer sequences than that.
    """
    clips: list[tuple[int, int, int, Path]] = []
    for path in sorted(folder.glob("*.avi")):
        match = _UT_NAME.fullmatch(path.stem)
        if match is None:
            raise DataError(
                f"{path}: not a name of UT-Interaction, NUMBER_SEQUENCE_LABEL.avi with a label from 0 to 5; "
                "take the file away"
            )
        number, sequence, label = (int(word) for word in match.groups())
        clips.append((number, sequence, label, path))
    sequences = sorted({sequence for _, sequence, _, _ in clips})
    if len(sequences) < 2:
        raise DataError(f"{folder}: no UT-Interaction clips of two sequences; expected such as 0_1_4.avi")
    if split > len(sequences):
        raise DataError(f"{folder}: there is no sequence {split} to test on; there are {len(sequences)}")
    parts: dict[str, list[AnnotatedVideo]] = {"train": [], "test": []}
    for _, sequence, label, path in sorted(clips):
        part = "test" if sequence == sequences[split - 1] else "train"
        parts[part].append(AnnotatedVideo(path.name, (label,), group=str(sequence)))
    return Annotation(_UT_LABELS, {part: tuple(videos) for part, videos in parts.items()})
