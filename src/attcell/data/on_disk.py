"""From the names in a data set's official files to the videos on somebody's disk.

Copies of a data set lie in different folders, under different suffixes, and some spell a name otherwise than
the official lists do. A video is looked for, in this order, by its place and name, by its name alone anywhere
below the root, and by its name in other capitals; what was found in the last way is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from attcell.data.listing import VIDEO_SUFFIXES, is_video_name
from attcell.data.sources import files_under
from attcell.errors import DataError


@dataclass(frozen=True)
class Found:
    """Where the videos of a list lie.

    Attributes:
        paths: video id → its file, or its folder of frames.
        missing: ids of those that are not there.
        renamed: those that are spelt in other capitals on disk.
        surplus: videos that lie there and that the list does not name.
    """

    paths: dict[str, Path]
    missing: tuple[str, ...]
    renamed: tuple[str, ...]
    surplus: tuple[Path, ...]


def find_videos(root: Path, ids: Iterable[str]) -> Found:
    """Look for videos below a folder by the names that an annotation gives them.

    Raises:
        DataError: a name that stands for several files.
    """
    places = _places(root)
    by_stem: dict[str, list[Path]] = {}
    by_capitals: dict[str, list[Path]] = {}
    for place in places:
        stem = stem_of(place.name)
        by_stem.setdefault(stem, []).append(place)
        by_capitals.setdefault(stem.casefold(), []).append(place)
    there = set(places)
    paths, missing, renamed = {}, [], []
    for video in ids:
        stem = stem_of(PurePosixPath(video).name)
        if root / video in there:
            paths[video] = root / video
        elif alike := by_stem.get(stem) or by_stem.get(f"v_{stem}"):
            paths[video] = _only(video, alike)
        elif alike := by_capitals.get(stem.casefold()):
            paths[video] = _only(video, alike)
            renamed.append(video)
        else:
            missing.append(video)
    taken = set(paths.values())
    surplus = tuple(place for place in places if place not in taken)
    return Found(paths, tuple(missing), tuple(renamed), surplus)


def stem_of(name: str) -> str:
    """A file's name without a video's suffix; other dots belong to the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def _places(root: Path) -> list[Path]:
    """Every video below a folder: files by their suffix, and folders of frames."""
    return [place for place in files_under(root) if is_video_name(place) or place.is_dir()]


def _only(video: str, alike: list[Path]) -> Path:
    """The one place; a file comes before folders, which may hold its frames or its flow."""
    files = [place for place in alike if place.is_file()]
    alike = files or alike
    if len(alike) > 1:
        raise DataError(
            f"{video} could be {alike[0]} or {alike[1]}; take one of them away, or choose a root above one"
        )
    return alike[0]
