"""``attcell data check DATASET ROOT``: a data set's official files against what lies on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell._paths import composed
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.data.check import CheckedVideo, check_records, section, sound_of, sound_sections
from attcell.data.known_sets import KNOWN_SETS, find_videos, read_known_set
from attcell.errors import CallError
from attcell.types import VideoRecord


@dataclass(frozen=True)
class PartCount:
    """How many videos a part of a split has by the official files, and how many of them are there."""

    split: int
    part: str
    videos: int
    there: int


@dataclass(frozen=True)
class SetReport:
    """What the official files and the disk say of a data set.

    Attributes:
        name: of the data set.
        root: below which videos were looked for.
        labels: the A classes.
        counts: by split and part.
        num_per_class: how many videos of each class the official files name, in all parts together.
        found_per_class: how many of them are there.
        videos: every video that is there, decoded; without decoding, none.
        missing: ids of videos that are not there.
        ambiguous: id → the places that its name could stand for; it is missing too.
        closed: the folders that cannot be opened, with the reason; what lies there is missing.
        renamed: ids that are spelt in other capitals on disk. They are found, and no fault.
        misplaced: id → where it lies, in the folder of another class. It is found, and no fault.
        surplus: videos on disk that no official file names. No fault either.
        duplicates: ids of videos whose files are the same, byte for byte.
        notes: what is odd in the official files themselves.
    """

    name: str
    root: str
    labels: tuple[str, ...]
    counts: tuple[PartCount, ...]
    num_per_class: tuple[int, ...]
    found_per_class: tuple[int, ...]
    videos: tuple[CheckedVideo, ...]
    missing: tuple[str, ...]
    ambiguous: dict[str, tuple[str, ...]]
    closed: tuple[str, ...]
    renamed: tuple[str, ...]
    misplaced: dict[str, str]
    surplus: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if every named video is there and, as far as was looked, whole."""
        return not self.missing and all(video.is_read and not video.is_damaged for video in self.videos)

    def to_dict(self) -> dict[str, Any]:
        """Everything, in plain types."""
        return {
            "dataset": self.name,
            "root": self.root,
            "ok": self.ok,
            "parts": [vars(count) for count in self.counts],
            "classes": [
                {"label": label, "videos": named, "there": there}
                for label, named, there in zip(
                    self.labels, self.num_per_class, self.found_per_class, strict=True
                )
            ],
            "missing": list(self.missing),
            "unreadable": {video.id: video.error for video in self.videos if not video.is_read},
            "damaged": {video.id: list(video.notes) for video in self.videos if video.is_damaged},
            "sound": sound_of(self.videos).to_dict() if self.videos else None,
            "ambiguous": {id: list(places) for id, places in self.ambiguous.items()},
            "cannot_be_opened": list(self.closed),
            "spelt_otherwise": list(self.renamed),
            "misplaced": self.misplaced,
            "surplus": list(self.surplus),
            "duplicates": [list(group) for group in self.duplicates],
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """A summary in plain text."""
        width = max(len(label) for label in self.labels)
        per_class = zip(self.labels, self.num_per_class, self.found_per_class, strict=True)
        unreadable = [video.error for video in self.videos if not video.is_read]
        damaged = [f"{video.id}: {'; '.join(video.notes)}" for video in self.videos if video.is_damaged]
        return [
            f"{self.name} below {self.root}: {sum(self.num_per_class)} labels of {len(self.labels)} classes",
            *(
                f"  split {of.split} {of.part:10} {of.videos:7d} videos, {of.there:7d} there"
                for of in self.counts
            ),
            *(
                f"  {label:<{width}}  {named:6d} videos, {there:6d} there"
                for label, named, there in per_class
            ),
            *([sound_of(self.videos).line()] if self.videos else []),
            *section("missing", list(self.missing)),
            *section("folders that cannot be opened, where they may lie", list(self.closed)),
            *section("unreadable", unreadable),
            *section("damaged", damaged),
            *sound_sections(sound_of(self.videos)),
            *section("could be several", [f"{id}: {', '.join(of)}" for id, of in self.ambiguous.items()]),
            *section("in the folder of another class", [f"{id}: {of}" for id, of in self.misplaced.items()]),
            *section("spelt in other capitals on disk, and found", list(self.renamed)),
            *section("the same file twice", [" = ".join(group) for group in self.duplicates]),
            *section("videos there that the official files do not name", list(self.surplus)),
            *section("notes on the official files", list(self.notes)),
            self._end(),
        ]

    def _end(self) -> str:
        if not self.ok:
            return "something is wrong: see above"
        return "all videos are there and whole" if self.videos else "all videos are there (none was decoded)"


def check_set(
    name: str,
    root: Path,
    annotations: Path | None = None,
    *,
    decode: bool = True,
    progress: Callable[[Sequence[VideoRecord]], Iterable[VideoRecord]] = lambda records: records,
) -> SetReport:
    """Compare the official files of a data set, all its splits, with the videos below a folder.

    Args:
        name: one of ``KNOWN_SETS``.
        root: below which the videos lie.
        annotations: where the official files lie; None for ``root``.
        decode: decode every video; else only look which are there.
        progress: wraps the records while they are decoded.

    Raises:
        CallError: no such data set or folder.
        DataError: official files that are not what they should be.
    """
    if not root.is_dir():
        raise CallError(f"{root}: no such folder; give the one below which the videos of {name} lie")
    splits = _splits(name, root if annotations is None else annotations)
    named = {
        video.id: video
        for annotation in splits.values()
        for videos in annotation.parts.values()
        for video in videos
    }
    found = find_videos(root, named)
    records = [VideoRecord(id, path, named[id].labels) for id, path in found.paths.items()]
    videos, duplicates = check_records(records, progress) if decode else ((), ())
    labels = next(iter(splits.values())).labels
    return SetReport(
        name,
        str(root),
        labels,
        tuple(_counts(splits, found.paths)),
        _per_class(named.values(), len(labels)),
        _per_class((named[id] for id in found.paths), len(labels)),
        videos,
        found.missing,
        {id: tuple(map(str, alike)) for id, alike in found.ambiguous.items()},
        tuple(found.closed_lines()),
        found.renamed,
        _misplaced(found.paths, set(labels)),
        tuple(str(path) for path in found.surplus),
        duplicates,
        tuple(dict.fromkeys(note for annotation in splits.values() for note in annotation.notes)),
    )


def _splits(name: str, folder: Path) -> dict[int, Annotation]:
    """Every split; those of one data set alone in which every split has the same videos."""
    first = read_known_set(name, folder, 1)
    if name in ("weizmann", "ut_interaction"):  # whose splits part the same videos otherwise
        return {1: first}
    return {1: first} | {
        split: read_known_set(name, folder, split) for split in range(2, KNOWN_SETS[name].splits + 1)
    }


def _misplaced(paths: dict[str, Path], classes: set[str]) -> dict[str, str]:
    """Videos that the official files put into a class's folder, and that lie in another class's."""
    folders = {id: composed(path.parent.name) for id, path in paths.items()}
    known = set(map(composed, classes))
    return {
        id: str(path)
        for id, path in paths.items()
        if folders[id] in known and "/" in id and composed(id.split("/")[-2]) != folders[id]
    }


def _counts(splits: dict[int, Annotation], paths: dict[str, Path]) -> Iterable[PartCount]:
    for split, annotation in splits.items():
        for part, videos in annotation.parts.items():
            yield PartCount(split, part, len(videos), sum(video.id in paths for video in videos))


def _per_class(videos: Iterable[AnnotatedVideo], num_classes: int) -> tuple[int, ...]:
    count = Counter(label for video in videos for label in video.labels)
    return tuple(count[label] for label in range(num_classes))
