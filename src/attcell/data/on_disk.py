"""From the names in a data set's official files to the videos on somebody's disk.

Copies of a data set lie in different folders, under different suffixes, and some spell a name otherwise than
the official lists do. A video is looked for, in this order, by its place and name, by its name alone anywhere
below the root, and by its name in other capitals; what was found in the last way is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from attcell.data.listing import VIDEO_SUFFIXES, is_video_name
from attcell.data.sources import files_under


@dataclass(frozen=True)
class Found:
    """Where the videos of a list lie.

    Attributes:
        paths: video id → its file, or its folder of frames.
        missing: ids of those that are not there.
        renamed: those that are spelt in other capitals on disk.
        surplus: videos that lie there and that the list does not name.
        ambiguous: video id → the places that its name could stand for; it counts as missing.
    """

    paths: dict[str, Path]
    missing: tuple[str, ...]
    renamed: tuple[str, ...]
    surplus: tuple[Path, ...]
    ambiguous: dict[str, tuple[Path, ...]]


def find_videos(root: Path, ids: Iterable[str]) -> Found:
    """Look for videos below a folder by the names that an annotation gives them."""
    places = _places(root)
    by_stem: dict[str, list[Path]] = {}
    by_capitals: dict[str, list[Path]] = {}
    for place in places:
        stem = stem_of(place.name)
        by_stem.setdefault(stem, []).append(place)
        by_capitals.setdefault(stem.casefold(), []).append(place)
    there = set(places)
    found = Found({}, (), (), (), {})
    missing, renamed = [], []
    for video in ids:
        stem = stem_of(PurePosixPath(video).name)
        if root / video in there:
            found.paths[video] = root / video
            continue
        same = by_stem.get(stem) or by_stem.get(f"v_{stem}")
        alike = _files_first(same or by_capitals.get(stem.casefold(), []))
        if len(alike) == 1:
            found.paths[video] = alike[0]
            renamed += [] if same else [video]
        else:
            missing.append(video)
            found.ambiguous.update({video: alike} if alike else {})
    taken = {*found.paths.values(), *(place for alike in found.ambiguous.values() for place in alike)}
    surplus = tuple(place for place in places if place not in taken)
    return replace(found, missing=tuple(missing), renamed=tuple(renamed), surplus=surplus)


def stem_of(name: str) -> str:
    """A file's name without a video's suffix; other dots belong to the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def _places(root: Path) -> list[Path]:
    """Every video below a folder: files by their suffix, and folders of frames."""
    return [place for place in files_under(root) if is_video_name(place) or place.is_dir()]


def _files_first(alike: list[Path]) -> tuple[Path, ...]:
    """A file comes before folders, which may hold its frames or its flow."""
    return tuple([place for place in alike if place.is_file()] or alike)
