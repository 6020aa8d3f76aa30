"""What people point at, a folder per class or a list file, as records.

- A *folder per class*: ``FOLDER/CLASS/*.mp4``; folders inside a class are searched too. Classes are sorted by
  name. Files that are not videos by their suffix are reported in ``Listing.ignored``.
- A *list file*: one ``some/video.mp4 1`` a line. The label is the last word, so paths may hold spaces; it is
  counted from 0. Blank lines are ignored; ``#`` begins no comment, for a path may begin with it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell.arguments import path_of
from attcell.errors import CallError, DataError
from attcell.records import VideoRecord

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
})
# fmt: on
_NUM_SHOWN = 10  # bad lines or names in one message


@dataclass(frozen=True)
class Listing:
    """The videos of a source.

    Attributes:
        records: every video, in the list's order, or by class and then by path.
        labels: the A class names; ``record.label`` counts in them from 0.
        ignored: what a folder per class holds besides: files that are not videos by their suffix, videos
            outside any class folder, and class folders without a video.
        multi_label: a video may have several classes, or none.
    """

    records: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    ignored: tuple[Path, ...] = ()
    multi_label: bool = False


def read_source(
    source: Path | str, root: Path | str | None = None, labels: Sequence[str] | None = None
) -> Listing:
    """Read a folder per class or a list file.

    Args:
        source: a folder with one folder per class, or a list file.
        root: the folder that a list's paths are relative to; the list's own folder if None.
        labels: the classes that a model knows. Class folders are then matched by name, and a list's labels
            must be in their range. If None, the classes are the folders' names, or for a list the names in
            ``labels.txt`` (one a line) or ``classInd.txt`` (``1 Name``) beside it, else "0", "1", ...

    Raises:
        CallError: ``source`` or ``root`` does not exist, or ``root`` is given for a folder per class.
        DataError: no video, a bad line (with file and line number), an unknown class, a video named twice.
    """
    source = path_of(source, "source", "videos/train")
    if source.is_dir():
        if root is not None:
            raise CallError(
                f"root ({root}) is for list files; {source} is a folder with one folder per class"
            )
        return _read_folder(source, labels)
    if not source.is_file():
        raise CallError(
            f"{source}: no such file or folder; give a folder with one folder per class, or a list"
        )
    folder = source.parent if root is None else path_of(root, "root", "videos")
    if not folder.is_dir():
        raise CallError(
            f"root {folder}: no such folder; give the folder that the paths in {source} start from"
        )
    return _read_list(source, folder, labels)


def is_video_name(path: Path) -> bool:
    """Whether the suffix is one that videos have."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def files_under(folder: Path) -> list[Path]:
    """Every file below a folder, sorted. Links are followed; what begins with a dot is left out."""
    return sorted(here / name for here, names in walked(folder) for name in names)


def walked(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder from this one down, with the names of its files; as :func:`files_under`."""
    seen: set[Path] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        place = Path(here).resolve()
        # A link to a folder above would never end.
        folders[:] = [] if place in seen else [name for name in folders if not name.startswith(".")]
        if place not in seen:
            yield Path(here), [name for name in names if not name.startswith(".")]
        seen.add(place)


def _read_folder(folder: Path, labels: Sequence[str] | None) -> Listing:
    by_class: dict[str, list[Path]] = {}
    ignored: list[Path] = []
    for path in files_under(folder):
        parts = path.relative_to(folder).parts
        if len(parts) > 1 and is_video_name(path):
            by_class.setdefault(parts[0], []).append(path)
        else:
            ignored.append(path)
    ignored += sorted(
        place
        for place in folder.iterdir()
        if place.is_dir() and place.name[0] != "." and place.name not in by_class
    )
    if not by_class:
        raise DataError(
            f"{folder}: no videos found; expected one folder per class with videos in it, such as "
            f"{folder / 'wave' / 'alice.mp4'} (known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    names = tuple(sorted(by_class)) if labels is None else tuple(labels)
    _refuse_unknown(folder, sorted(by_class), names)
    records = [
        VideoRecord(path.relative_to(folder).as_posix(), path, (names.index(name),))
        for name in sorted(by_class)
        for path in by_class[name]
    ]
    return Listing(tuple(records), names, tuple(ignored))


def _refuse_unknown(folder: Path, found: Iterable[str], allowed: Sequence[str]) -> None:
    problems = []
    for name in found:
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, n=1)
            problems.append(f"{name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    if problems:
        raise DataError(
            f"{folder}: unknown class folders: {_shortened(problems, ', ')}. Known classes: "
            f"{', '.join(allowed)}. Rename the folders, or take them away."
        )


def _read_list(source: Path, root: Path, labels: Sequence[str] | None) -> Listing:
    names = _names_beside(source) if labels is None else tuple(labels)
    records: list[VideoRecord] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(_text_lines(source), start=1):
        if not line.strip():
            continue
        name, label, problem = _parsed_line(line, names)
        if not problem and name in first_line:
            problem = f"this video is on line {first_line[name]} already"
        if problem:
            problems.append(f"{source}:{number}: {problem}: {line.strip()!r}")
            continue
        first_line[name] = number
        records.append(VideoRecord(name, root / name, (label,)))
    if problems:
        count = f"{len(problems)} bad line{'s' if len(problems) > 1 else ''}"
        raise DataError(
            f"{source}: {count}; expected 'path label' with labels from 0:\n" + _shortened(problems, "\n")
        )
    if not records:
        raise DataError(f"{source}: the list is empty; expected a line 'path label' for each video")
    if names is None:
        names = tuple(str(label) for label in range(max(record.label for record in records) + 1))
    return Listing(tuple(records), names)


def _parsed_line(line: str, names: Sequence[str] | None) -> tuple[str, int, str]:
    """Path, label, and what is wrong with the line, if anything."""
    parts = line.strip().rsplit(maxsplit=1)
    if len(parts) < 2:
        return "", 0, "a path and a label are needed"
    name, word = Path(parts[0].replace("\\", "/")).as_posix(), parts[1]
    if not (word.isascii() and word.isdigit()):
        return name, 0, f"the label {word!r} is not a whole number from 0"
    if names is not None and int(word) >= len(names):
        return name, 0, f"label {word} is too high, {len(names)} classes count from 0 to {len(names) - 1}"
    return name, int(word), ""


def _names_beside(source: Path) -> tuple[str, ...] | None:
    """Class names from labels.txt or classInd.txt in the list's folder, if there is one."""
    for file in (source.with_name("labels.txt"), source.with_name("classInd.txt")):
        if file.is_file() and file != source:
            lines = [line.strip() for line in _text_lines(file)]
            names = [line for line in lines if line]
            if file.name == "classInd.txt":
                names = _numbered_names(file, names)
            if len(set(names)) < len(names) or not names:
                raise DataError(f"{file}: class names must be there, and each only once")
            return tuple(names)
    return None


def _numbered_names(file: Path, lines: list[str]) -> list[str]:
    """``1 Name`` lines, numbered from 1 without a gap -> names."""
    names = []
    for number, line in enumerate(lines, start=1):
        word, _, name = line.partition(" ")
        if word != str(number) or not name.strip():
            raise DataError(f"{file}: line {line!r}; expected '{number} Name', numbered from 1 without gaps")
        names.append(name.strip())
    return names


def _text_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise DataError(
            f"{file}: not a text file in UTF-8; a list file has a line 'path label' for each video. "
            "To use one video, put it in a folder named after its class."
        ) from None


def _shortened(items: list[str], separator: str) -> str:
    more = f"{separator}and {len(items) - _NUM_SHOWN} more" if len(items) > _NUM_SHOWN else ""
    return separator.join(items[:_NUM_SHOWN]) + more
