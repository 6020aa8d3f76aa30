"""``attcell data check``: decode every video of a source and say what is there and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attcell._checks import path_of
from attcell._paths import is_folder, is_missing, is_there, is_video_name, real_path
from attcell._spread import spread
from attcell._urls import is_url
from attcell._walls import the_videos_own
from attcell._workers import results_in_turn
from attcell.choices import GROUP_COLUMN
from attcell.data.check_sound import CheckedSound
from attcell.data.feature_store import bytes_digest, content_digest
from attcell.data.groups import file_or_expression, with_groups
from attcell.data.hints import few_videos, first_frame_hash, look_alikes, propose_groups
from attcell.data.listing import Listing
from attcell.data.mirroring import directional
from attcell.data.sources import files_under, read_source
from attcell.errors import VideoError, first_lines
from attcell.flow import num_cores
from attcell.types import VideoRecord
from attcell.video.decode import count_frames
from attcell.video.features import is_features
from attcell.video.frame_folder import holds_frames, open_frames
from attcell.video.sound.check import SoundLevels, sound_levels

FEW_FRAMES = 25  # the number of segments at test: shorter videos repeat frames there
_NUM_SHOWN = 20
_MOST_WORKERS = 16


@dataclass(frozen=True)
class CheckedVideo:
    """One video of the source: what decoding it gave, or why it gave nothing."""

    id: str
    labels: tuple[int, ...]
    num_frames: int = 0
    seconds: float = 0.0
    size: str = ""
    notes: tuple[str, ...] = ()
    is_damaged: bool = False
    is_missing: bool = False
    error: str = ""
    first_frame: int | None = None  # its hash, see ``first_frame_hash``
    sound: SoundLevels | None = None  # none of a folder of frames
    is_features: bool = False  # neither pictures nor sound

    @property
    def rate(self) -> float:
        """Frames a second, in the mean."""
        return self.num_frames / self.seconds if self.seconds else 0.0

    @property
    def is_read(self) -> bool:
        return self.num_frames > 0


@dataclass(frozen=True)
class CheckReport:
    """What a source holds.

    Attributes:
        source: what was checked.
        labels: the A class names.
        videos: every video that the source names.
        surplus: videos that lie there but that the source does not name: not in the list, or outside any
            class folder. No fault: a list of training videos leaves the others out.
        ignored: other files of a folder per class, and class folders without a video. No fault either.
        duplicates: ids of videos whose files are the same, byte for byte; frames also by their
            names.
        hints: what names, first frames and counts say of groups and classes. No fault either.
    """

    source: str
    labels: tuple[str, ...]
    videos: tuple[CheckedVideo, ...]
    surplus: tuple[str, ...]
    ignored: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    hints: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[CheckedVideo, ...]:
        return tuple(video for video in self.videos if video.is_missing)

    @property
    def unreadable(self) -> tuple[CheckedVideo, ...]:
        return tuple(video for video in self.videos if not video.is_read and not video.is_missing)

    @property
    def damaged(self) -> tuple[CheckedVideo, ...]:
        return tuple(video for video in self.videos if video.is_damaged)

    @property
    def noted(self) -> tuple[CheckedVideo, ...]:
        """Whole videos of which there is something to know, such as estimated times."""
        return tuple(video for video in self.videos if video.notes and not video.is_damaged)

    @property
    def short(self) -> tuple[CheckedVideo, ...]:
        """Videos of fewer than ``FEW_FRAMES`` frames."""
        return tuple(video for video in self.videos if 0 < video.num_frames < FEW_FRAMES)

    @property
    def sound(self) -> CheckedSound:
        return sound_of(self.videos)

    @property
    def ok(self) -> bool:
        """Every video is there, whole and only once."""
        return not (self.missing or self.unreadable or self.damaged or self.duplicates)

    def to_dict(self) -> dict[str, Any]:
        """All of it, in plain types that ``json.dumps`` takes."""
        return {
            "source": self.source,
            "ok": self.ok,
            "classes": [self._of_class(label) for label in range(len(self.labels))],
            "sizes": dict(Counter(video.size for video in self.videos if video.is_read).most_common()),
            "sound": self.sound.to_dict(),
            "missing": [video.id for video in self.missing],
            "unreadable": {video.id: video.error for video in self.unreadable},
            "damaged": {video.id: list(video.notes) for video in self.damaged},
            "notes": {video.id: list(video.notes) for video in self.noted},
            "duplicates": [list(group) for group in self.duplicates],
            "short": {video.id: video.num_frames for video in self.short},
            "surplus": list(self.surplus),
            "ignored": list(self.ignored),
            "hints": list(self.hints),
        }

    def lines(self) -> list[str]:
        """A summary in plain text."""
        return [
            *self._summary(),
            *section("missing", [video.id for video in self.missing]),
            *section("unreadable", [video.error for video in self.unreadable]),
            *section("damaged", [f"{video.id}: {'; '.join(video.notes)}" for video in self.damaged]),
            *section("the same file twice", [" = ".join(group) for group in self.duplicates]),
            *section("notes", self._grouped_notes()),
            *section(
                f"fewer than {FEW_FRAMES} frames", [f"{video.id}: {video.num_frames}" for video in self.short]
            ),
            *sound_sections(self.sound),
            *section("videos there that the source does not name", list(self.surplus)),
            *section("ignored", list(self.ignored)),
            *section("to be looked at", list(self.hints)),
            "all videos are there and whole" if self.ok else "something is wrong: see above",
        ]

    def _summary(self) -> list[str]:
        read = [video for video in self.videos if video.is_read]
        lines = [
            f"{self.source}: {len(self.videos)} videos, {len(self.labels)} classes, {len(read)} can be read"
        ]
        width = max((len(name) for name in self.labels), default=0)
        for found in map(self._of_class, range(len(self.labels))):
            lines.append(
                f"  {found['label']:<{width}}  {found['videos']:5d} videos  {found['frames']:8d} frames  "
                f"{found['seconds']:9.1f} s"
            )
        if read:
            frames = [video.num_frames for video in read]
            sizes = Counter(video.size for video in read).most_common()
            shown = ", ".join(f"{size} ({count})" for size, count in sizes[:5])
            more = f" and {len(sizes) - 5} other sizes" if len(sizes) > 5 else ""
            lines.append(f"  frames a video: {min(frames)} to {max(frames)}, median {np.median(frames):g}")
            lines.append(f"  sizes: {shown}{more}")
            lines += [self.sound.line()] if self.sound.levels else []
        return lines

    def _grouped_notes(self) -> list[str]:
        by_note: dict[str, list[str]] = {}
        for video in self.noted:
            for note in video.notes:
                by_note.setdefault(note, []).append(video.id)
        return [
            f"{note}: {ids[0]}" + (f" and {len(ids) - 1} more" if len(ids) > 1 else "")
            for note, ids in by_note.items()
        ]

    def _of_class(self, label: int) -> dict[str, Any]:
        videos = [video for video in self.videos if label in video.labels]
        return {
            "label": self.labels[label],
            "videos": len(videos),
            "frames": sum(video.num_frames for video in videos),
            "seconds": sum(video.seconds for video in videos),
        }


def check_source(
    source: Path | str,
    root: Path | str | None = None,
    progress: Callable[[Sequence[VideoRecord]], Iterable[VideoRecord]] = lambda records: records,
    *,
    groups: str | Path | None = None,
) -> CheckReport:
    """Decode every video of a folder per class or a list file.

    Args:
        source, root: as in ``read_source``, whose errors pass through.
        progress: wraps the records while they are gone through, such as ``rich.progress.track``.
        groups: as a recipe's ``data.groups``: what they come to is told, in place of what looks like groups.

    Raises:
        CallError, DataError: groups that are not right, or videos without one.
    """
    groups = None if groups is None else file_or_expression(groups)
    listing = read_source(source, root, group_column=groups == GROUP_COLUMN)
    if groups is not None and groups != GROUP_COLUMN:
        listing = replace(listing, records=with_groups(listing.records, groups))
    source = path_of(source, "source", "videos/train")
    videos, duplicates = check_records(listing.records, progress)
    surplus = _surplus(source, root, listing)
    return CheckReport(
        source=str(source),
        labels=listing.labels,
        videos=videos,
        surplus=tuple(str(path) for path in surplus),
        ignored=tuple(str(path) for path in listing.ignored if path not in set(surplus)),
        duplicates=duplicates,
        hints=tuple(_hints(listing, videos, is_grouped=groups is not None)),
    )


def _hints(listing: Listing, videos: Sequence[CheckedVideo], *, is_grouped: bool) -> list[str]:
    """What is to be looked at before a training."""
    counts = Counter(label for record in listing.records for label in record.labels)
    said = few_videos(listing.labels, [counts[label] for label in range(len(listing.labels))])
    if turned := directional(listing.labels):
        said.append(
            f"class names hold a direction ({', '.join(turned)}), and a mirror image is of another class: "
            "training leaves mirror images out, unless train.flip_pairs says which classes they exchange"
        )
    alike = look_alikes({video.id: video.first_frame for video in videos if video.first_frame is not None})
    if is_grouped:
        return [*said, *_of_groups(listing.records, alike)]
    return [*said, *_like_groups(listing.records, videos, alike)]


def _of_groups(records: Sequence[VideoRecord], alike: Sequence[Sequence[str]]) -> list[str]:
    """What given groups come to, and whether first frames that look alike lie in one group."""
    groups = {record.id: record.group for record in records}
    sizes = Counter(groups.values())
    classes: dict[str, set[int]] = {}
    for record in records:
        classes.setdefault(record.group, set()).update(record.labels)
    several = sum(len(labels) > 1 for labels in classes.values())
    least, most = min(sizes.values()), max(sizes.values())
    size = f"{least} to {most}" if least < most else f"{most}"
    said = [f"{len(sizes)} groups of {size} videos, {several} of them in several classes"]
    torn = [ids for ids in alike if len({groups[id] for id in ids}) > 1]
    if torn:
        said.append(
            f"{len(torn)} sets of videos whose first frames look alike lie in several groups, such as "
            f"{' and '.join(torn[0][:2])}"
        )
    return said


def _like_groups(
    records: Sequence[VideoRecord], videos: Sequence[CheckedVideo], alike: Sequence[Sequence[str]]
) -> list[str]:
    """What looks like groups that nobody told: names, first frames, sizes and rates."""
    said = []
    proposed = propose_groups(records)
    if proposed is not None:
        said.append(proposed.sentence())
    if alike:
        said.append(
            f"{sum(map(len, alike))} of {len(videos)} videos begin with a frame like another's, in "
            f"{len(alike)} sets of up to {len(alike[0])}, such as {' and '.join(alike[0][:2])}: if they "
            "are of one recording, they belong together (data.groups)"
        )
    takes = Counter((video.size, round(video.rate, 1)) for video in videos if video.is_read)
    shared = [count for count in takes.values() if count > 1]
    if len(takes) > 1 and len(shared) > 1:
        said.append(
            f"{len(takes)} kinds of size and frame rate, {len(shared)} of them of several videos: each may "
            "be a camera or a source of its own"
        )
    return said


def check_records(
    records: Sequence[VideoRecord],
    progress: Callable[[Sequence[VideoRecord]], Iterable[VideoRecord]] = lambda records: records,
) -> tuple[tuple[CheckedVideo, ...], tuple[tuple[str, ...], ...]]:
    """Decode every video: what that gave, and groups of ids whose files are the same, byte for byte."""
    found = spread(_checked_in_turn, records, _path_of)
    videos = [
        CheckedVideo(record.id, record.labels, error=str(checked))
        if isinstance(checked, VideoError)
        else checked
        for record, checked in zip(progress(records), found, strict=True)
    ]
    return tuple(videos), _duplicates(records)


def _checked_in_turn(records: Sequence[VideoRecord]) -> Iterator[CheckedVideo | VideoError]:
    return results_in_turn(_checked, records, _path_of, min(num_cores(), _MOST_WORKERS))


def _path_of(record: VideoRecord) -> Path:
    return record.path


def _checked(record: VideoRecord) -> CheckedVideo:
    with the_videos_own(record.path):
        if is_missing(record.path):
            return CheckedVideo(record.id, record.labels, is_missing=True, error=f"{record.path}: missing")
        info = count_frames(record.path, frames=record.frames)
        first_frame, sound = first_frame_hash(record), sound_levels(record.path)
    size = f"{info.size.width}x{info.size.height}"
    return CheckedVideo(
        record.id,
        record.labels,
        info.num_frames,
        info.duration_seconds,
        size,
        info.notes,
        info.is_damaged,
        first_frame=first_frame,
        sound=sound,
        is_features=is_features(record.path),
    )


def _surplus(source: Path, root: Path | str | None, listing: Listing) -> list[Path]:
    if source.is_dir():
        return [path for path in listing.ignored if _is_video(path)]
    named = {real_path(record.path) for record in listing.records}
    folder = source.parent if root is None else path_of(root, "root", "videos")
    return [path for path in files_under(folder) if _is_video(path) and real_path(path) not in named]


def _is_video(path: Path) -> bool:
    return holds_frames(path) if is_folder(path) else is_video_name(path)


def _duplicates(records: Iterable[VideoRecord]) -> tuple[tuple[str, ...], ...]:
    """Groups of ids with the same bytes; only files of one length are read."""
    by_length: dict[int, list[VideoRecord]] = {}
    for record in records:
        if length := _num_bytes(record):
            by_length.setdefault(length, []).append(record)
    by_bytes: dict[str, list[str]] = {}
    for alike in by_length.values():
        for record in alike if len(alike) > 1 else []:
            by_bytes.setdefault(_digest(record), []).append(record.id)
    return tuple(tuple(ids) for ids in by_bytes.values() if len(ids) > 1)


def _digest(record: VideoRecord) -> str:
    return bytes_digest(record.path) if is_url(record.path) else content_digest(record.path, record.frames)


def _num_bytes(record: VideoRecord) -> int:
    """Of a file, or of a folder's frames together; 0 where there is nothing to read."""
    if not is_folder(record.path):
        return record.path.stat().st_size if is_there(record.path) else 0
    try:
        folder = open_frames(record.path, record.frames)
    except VideoError:
        return 0
    return sum((record.path / name).stat().st_size for name in folder.names)


def sound_of(videos: Iterable[CheckedVideo]) -> CheckedSound:
    """The sound of those that can be read, and are videos."""
    return CheckedSound(
        {video.id: video.sound for video in videos if video.is_read and not video.is_features}
    )


def sound_sections(sound: CheckedSound) -> list[str]:
    """All lists of it that are not empty."""
    return [line for title, entries in sound.sections() for line in section(title, entries)]


def section(title: str, entries: list[str]) -> list[str]:
    """A titled list of at most ``_NUM_SHOWN`` entries, or nothing."""
    if not entries:
        return []
    return [f"{title}: {len(entries)}", *first_lines(entries, _NUM_SHOWN)]
