"""What people point at, a folder per class or a list file, as records.

- A *folder per class*: ``FOLDER/CLASS/*.mp4``; folders inside a class are searched too. Classes are sorted by
  name, and compared in Unicode's composed form. Files that are not videos by their suffix are reported in
  ``Listing.ignored`` and told; a class folder that holds such files alone is refused: a class would be gone.
  A folder that may not be looked into stands among the videos, as one that cannot be read.
  Where there is no video at all, files of features (``.npy``) stand in the videos' place.
- A *list file*: one ``some/video.mp4 1`` or ``some/video.mp4 wave`` a line, or CSV with a header, as
  :mod:`attcell.data.listing` tells.

A folder of frames, of which no file is a video and which holds no folder, is a video as a file is.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from attcell._checks import path_of
from attcell._log import logger
from attcell._paths import VIDEO_SUFFIXES, composed, is_folder, is_video_name, real_path
from attcell._urls import UrlPath, is_url
from attcell.choices import GROUP_COLUMN
from attcell.data.listing import Listing, read_list, shortened
from attcell.errors import CallError, DataError
from attcell.types import VideoRecord
from attcell.video.features import is_features
from attcell.video.frame_folder import is_frame_name

_PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})

__all__ = ["Listing", "files_under", "read_source", "videos_below"]


def read_source(
    source: Path | str,
    root: Path | str | None = None,
    labels: Sequence[str] | None = None,
    *,
    group_column: bool = False,
) -> Listing:
    """Read a folder per class or a list file.

    Args:
        source: a folder with one folder per class, or a list file.
        root: the folder that a list's paths are relative to; the list's own folder if None.
        labels: the classes that a model knows. Class folders are then matched by name, and a list's labels
            must be in their range. If None, the classes are the folders' names, or for a list the names in
            ``labels.txt`` (one a line) or ``classInd.txt`` (``1 Name``) beside it, else "0", "1", ...
        group_column: each line of the list ends with the video's group.

    Raises:
        CallError: ``source`` or ``root`` does not exist, or ``root`` or a column of groups is given for a
            folder per class.
        DataError: no video, a bad line (with file and line number), an unknown class, a video named twice.
    """
    source = path_of(source, "source", "videos/train")
    if source.is_dir():
        if root is not None:
            raise CallError(
                f"root ({root}) is for list files; {source} is a folder with one folder per class"
            )
        if group_column:
            raise CallError(
                f"data.groups={GROUP_COLUMN} is for list files; {source} is a folder with one folder per "
                "class: give a regular expression on the videos' paths, or a CSV of the columns video,group"
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
    return read_list(source, folder, labels, with_groups=group_column)


def videos_below(folder: Path) -> Listing:
    """Every video below a folder, by its path in it, whether the folders are classes or not; without labels.

    Raises:
        DataError: no video.
    """
    found = [path for path in files_under(folder) if is_video_name(path) or is_folder(path)]
    if not found:
        raise DataError(
            f"{folder}: no videos found below it (known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return Listing(tuple(VideoRecord(path.relative_to(folder).as_posix(), path, ()) for path in found), ())


def files_under(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; a folder of frames stands for its files, and one that may not be
    looked into for itself.

    Links are followed; what begins with a dot is left out.

    Raises:
        DataError: the folder itself may not be looked into.
    """
    files, closed = walk(folder)
    return sorted([*files, *closed])


def walk(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """The files and folders of frames below a folder; and each folder that cannot be opened, with the reason.
    Errors as of :func:`files_under`.
    """
    if is_url(folder):
        return _walk_server(folder), {}
    found: list[Path] = []
    closed: dict[Path, str] = {}
    seen: set[Path] = set()

    def note(error: OSError) -> None:
        closed[Path(error.filename)] = error.strerror or str(error)
        if folder in closed:
            raise DataError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error

    for here, folders, names in os.walk(folder, onerror=note, followlinks=True):
        place = real_path(Path(here))
        # A link to a folder above would never end.
        folders[:] = [] if place in seen else [name for name in folders if not name.startswith(".")]
        if place not in seen and Path(here) != folder and not folders and _are_frames(names):
            found.append(Path(here))
        elif place not in seen:
            found += [Path(here) / name for name in names if not name.startswith(".")]
        seen.add(place)
    return found, closed


def _walk_server(folder: Path) -> list[Path]:
    """As :func:`walk`, of a folder on a server, which gives the names of all files at once."""
    try:
        paths = cast("UrlPath", folder).files()
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    inside: dict[Path, list[Path]] = {}
    for path in cast("Iterable[Path]", paths):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            inside.setdefault(path.parent, []).append(path)
    above = {place for here in inside for place in here.parents}
    found: list[Path] = []
    for here, files in inside.items():
        is_video = here != folder and here not in above and _are_frames(path.name for path in files)
        found += [here] if is_video else files
    return found


def videos_or_features(paths: Sequence[Path]) -> list[Path]:
    """Those of these files and folders of frames that are videos; where none is, those that hold features."""
    videos = [path for path in paths if is_video_name(path) or is_folder(path)]
    return videos or [path for path in paths if is_features(path)]


def _are_frames(names: Iterable[str]) -> bool:
    """Whether these files of a folder make it a video."""
    names = list(names)
    return any(map(is_frame_name, names)) and not any(is_video_name(Path(name)) for name in names)


def _read_folder(folder: Path, labels: Sequence[str] | None) -> Listing:
    per_class: dict[str, list[Path]] = {}
    ignored: list[Path] = []
    files, closed = walk(folder)
    paths = sorted([*files, *closed])
    taken = set(videos_or_features([path for path in paths if path.parent != folder or is_folder(path)]))
    for path in paths:
        parts = path.relative_to(folder).parts
        if path in taken and (len(parts) > 1 or path in closed):
            per_class.setdefault(composed(parts[0]), []).append(path)
        else:
            ignored.append(path)
    known = set(ignored)  # class folders that hold frames themselves are there already
    if per_class:
        _refuse_lost_classes(folder, ignored, per_class)
        _say_ignored(folder, tuple(path for path in ignored if path.parent != folder or is_folder(path)))
        _say_twice(folder, tuple(sorted(path for paths in per_class.values() for path in paths)))
    ignored += sorted(
        place
        for place in folder.iterdir()
        if is_folder(place)
        and place.name[0] != "."
        and composed(place.name) not in per_class
        and place not in known
    )
    if not per_class:
        raise DataError(
            f"{folder}: no videos found; expected one folder per class with videos in it, such as "
            f"{folder / 'wave' / 'alice.mp4'} (known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))}; of "
            "features .npy)"
        )
    names = tuple(sorted(per_class)) if labels is None else tuple(labels)
    if labels is None:
        _say_parts(folder, names)
    allowed = [composed(name) for name in names]  # a model of another system may have them decomposed
    _refuse_unknown(folder, sorted(per_class), allowed)
    records = [
        VideoRecord(path.relative_to(folder).as_posix(), path, (allowed.index(name),))
        for name in sorted(per_class)
        for path in per_class[name]
    ]
    return Listing(tuple(records), names, tuple(ignored))


def _refuse_lost_classes(folder: Path, ignored: Sequence[Path], per_class: Mapping[str, object]) -> None:
    """Raise a DataError for class folders that hold files of which none is a video by its name."""
    lost: dict[str, list[Path]] = {}
    for path in ignored:
        parts = path.relative_to(folder).parts
        if len(parts) > 1 and composed(parts[0]) not in per_class:
            lost.setdefault(parts[0], []).append(path)
    if lost:
        told = [f"{name} ({len(files)} files, such as {files[0].name})" for name, files in lost.items()]
        raise DataError(
            f"{folder}: class folders without a video by its name: {shortened(told, ', ')}. Bring the videos "
            f"to a known suffix ({' '.join(sorted(VIDEO_SUFFIXES))}), name pictures img_00001.jpg and so on, "
            "or take the folders away; a folder whose name begins with a dot is passed over"
        )


@cache
def _say_ignored(folder: Path, ignored: tuple[Path, ...]) -> None:
    """Say once how many files inside class folders are no videos by their names."""
    if ignored:
        logger.info(
            f"{folder}: {len(ignored)} files in class folders are no videos by their names and left out, "
            f"such as {ignored[0].relative_to(folder)}"
        )


@cache
def _say_parts(folder: Path, names: tuple[str, ...]) -> None:
    """Warn once of a folder of parts, which would be learnt as classes."""
    if len(names) > 1 and all(name.lower() in _PARTS for name in names):
        logger.warning(
            f"{folder}: its classes are {', '.join(names)}, which are names of parts of a data set; if they "
            f"are such, give one part, such as {folder / names[-1]}"
        )


@cache
def _say_twice(folder: Path, videos: tuple[Path, ...]) -> None:
    """Warn once of videos beside which a folder of frames has their name, as some tools leave them."""
    known = set(videos)
    twice = [path for path in videos if is_video_name(path) and path.with_suffix("") in known]
    if twice:
        logger.warning(
            f"{folder}: {len(twice)} videos are there as a file and as a folder of frames of the same name, "
            f"and count twice, such as {twice[0].relative_to(folder)}; take the one or the other away"
        )


def _refuse_unknown(folder: Path, found: Iterable[str], allowed: Sequence[str]) -> None:
    problems = []
    for name in found:
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, n=1)
            problems.append(f"{name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    if problems:
        raise DataError(
            f"{folder}: unknown class folders: {shortened(problems, ', ')}. Known classes: "
            f"{shortened(allowed, ', ')}. Rename the folders, or take them away."
        )
