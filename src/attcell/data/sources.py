"""What people point at, a folder per class or a list file, as records.

- A *folder per class*: ``FOLDER/CLASS/*.mp4``; folders inside a class are searched too. Classes are sorted by
  name. Files that are not videos by their suffix are reported in ``Listing.ignored``.
  Where there is no video at all, files of features (``.npy``) stand in the videos' place.
- A *list file*: one ``some/video.mp4 1`` a line, as :mod:`attcell.data.listing` tells.

A folder of frames, of which no file is a video and which holds no folder, is a video as a file is.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from attcell._checks import path_of
from attcell.data.listing import VIDEO_SUFFIXES, Listing, is_video_name, read_list, shortened
from attcell.errors import CallError, DataError
from attcell.types import GROUP_COLUMN, VideoRecord
from attcell.video.features import is_features
from attcell.video.frame_folder import is_frame_name

__all__ = ["Listing", "files_under", "is_video_name", "read_source", "videos_below"]


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
    found = [path for path in files_under(folder) if is_video_name(path) or path.is_dir()]
    if not found:
        raise DataError(
            f"{folder}: no videos found below it (known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))})"
        )
    return Listing(tuple(VideoRecord(path.relative_to(folder).as_posix(), path, ()) for path in found), ())


def files_under(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; a folder of frames stands for its files.

    Links are followed; what begins with a dot is left out.
    """
    found: list[Path] = []
    seen: set[Path] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        place = Path(here).resolve()
        # A link to a folder above would never end.
        folders[:] = [] if place in seen else [name for name in folders if not name.startswith(".")]
        if place not in seen and Path(here) != folder and not folders and _are_frames(names):
            found.append(Path(here))
        elif place not in seen:
            found += [Path(here) / name for name in names if not name.startswith(".")]
        seen.add(place)
    return sorted(found)


def videos_or_features(paths: Sequence[Path]) -> list[Path]:
    """Those of these files and folders of frames that are videos; where none is, those that hold features."""
    videos = [path for path in paths if is_video_name(path) or path.is_dir()]
    return videos or [path for path in paths if is_features(path)]


def _are_frames(names: Iterable[str]) -> bool:
    """Whether these files of a folder make it a video."""
    return any(map(is_frame_name, names)) and not any(is_video_name(Path(name)) for name in names)


def _read_folder(folder: Path, labels: Sequence[str] | None) -> Listing:
    per_class: dict[str, list[Path]] = {}
    ignored: list[Path] = []
    paths = files_under(folder)
    taken = set(videos_or_features([path for path in paths if path.parent != folder or path.is_dir()]))
    for path in paths:
        parts = path.relative_to(folder).parts
        if len(parts) > 1 and path in taken:
            per_class.setdefault(parts[0], []).append(path)
        else:
            ignored.append(path)
    known = set(ignored)  # class folders that hold frames themselves are there already
    ignored += sorted(
        place
        for place in folder.iterdir()
        if place.is_dir() and place.name[0] != "." and place.name not in per_class and place not in known
    )
    if not per_class:
        raise DataError(
            f"{folder}: no videos found; expected one folder per class with videos in it, such as "
            f"{folder / 'wave' / 'alice.mp4'} (known suffixes: {' '.join(sorted(VIDEO_SUFFIXES))}; of "
            "features .npy)"
        )
    names = tuple(sorted(per_class)) if labels is None else tuple(labels)
    _refuse_unknown(folder, sorted(per_class), names)
    records = [
        VideoRecord(path.relative_to(folder).as_posix(), path, (names.index(name),))
        for name in sorted(per_class)
        for path in per_class[name]
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
            f"{folder}: unknown class folders: {shortened(problems, ', ')}. Known classes: "
            f"{shortened(allowed, ', ')}. Rename the folders, or take them away."
        )
