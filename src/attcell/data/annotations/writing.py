"""What the writers share: what a format cannot say is refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from attcell._files import write_text
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import CallError


def write_lines(file: Path, lines: Iterable[str]) -> None:
    """One line after the other, ended by ``\\n``; whole or not at all."""
    write_text(file, "".join(f"{line}\n" for line in lines))


def check_parts(annotation: Annotation, allowed: Sequence[str]) -> None:
    """Look whether a format has files for the parts of an annotation.

    Raises:
        CallError: a part that it has none for.
    """
    for part in annotation.parts:
        if part not in allowed:
            raise CallError(
                f"the annotation has the part {part!r}, and this format writes {', '.join(allowed)}; "
                "leave the part out"
            )


def only_label(video: AnnotatedVideo, labels: Sequence[str]) -> str:
    """The name of a video's one class.

    Raises:
        CallError: it has none, or several.
    """
    if len(video.labels) != 1:
        raise CallError(
            f"{video.id} has {len(video.labels)} classes, and this format writes just one a video"
        )
    return labels[video.labels[0]]


def check_class_folder(video: AnnotatedVideo, labels: Sequence[str]) -> None:
    """Look whether a video lies in the folder of its one class, for formats that tell the class by it.

    Raises:
        CallError: it does not.
    """
    label = only_label(video, labels)
    if not video.id.startswith(f"{label}/"):
        raise CallError(f"{video.id} is of class {label}; this format needs ids such as {label}/NAME.avi")
