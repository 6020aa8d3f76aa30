"""Writers of annotation files, for tests: what a reader reads of them is what was written.

What a format cannot say is a CallError, and nothing is written.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attcell._files import write_json, write_text
from attcell.data.annotations import (
    ccv,
    hmdb51,
    sports1m,
    thumos14,
    ucf101,
)
from attcell.data.annotations.reading import AnnotatedVideo, Annotation, split_of
from attcell.errors import CallError
from attcell.types import ActionInstance

_KINETICS_FILES = {"train": "train", "validation": "validate", "test": "test"}
_STEM = re.compile(r"(.+)_(\d{6})_(\d{6})")


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


def write_activitynet(annotation: Annotation, file: Path) -> None:
    """Write a truth file.

    Raises:
        CallError: what it cannot say: a class that no video has, or a video's class without an instance.
    """
    told = set()
    for video in (of for videos in annotation.parts.values() for of in videos):
        names = {action.label for action in video.instances}
        if names != {annotation.labels[label] for label in video.labels}:
            raise CallError(
                f"{video.id}: its classes are not those of its instances; this format tells both as one"
            )
        told |= names
    for name in annotation.labels:
        if name not in told:
            raise CallError(f"no video is of class {name}, and this format names classes by videos alone")
    database = {
        video.id: {
            "subset": part,
            **({} if video.duration_seconds is None else {"duration": video.duration_seconds}),
            "annotations": [
                {"segment": [of.start_seconds, of.end_seconds], "label": of.label} for of in video.instances
            ],
        }
        for part, videos in annotation.parts.items()
        for video in videos
    }
    write_json(str(file), {"database": database})


def write_ccv(annotation: Annotation, folder: Path) -> None:
    """Write the five files.

    Raises:
        CallError: the annotation has other parts than train and test.
    """
    check_parts(annotation, ccv._PARTS)
    write_lines(folder / "categoryName.txt", annotation.labels)
    for part in ccv._PARTS:
        videos = annotation.parts.get(part, ())
        write_lines(folder / f"{part}VidID.txt", (video.id for video in videos))
        rows = (
            "".join(f"{int(label in video.labels)} " for label in range(len(annotation.labels)))
            for video in videos
        )
        write_lines(folder / f"{part}Label.txt", rows)


def write_hmdb51(annotation: Annotation, folder: Path, split: int) -> None:
    """Write a file for each class.

    Raises:
        CallError: another split, or what these files cannot say: other parts, a video that is not of one
            class and in its folder.
    """
    check_parts(annotation, tuple(hmdb51._CODES.values()))
    split = split_of(split)
    lines: dict[str, list[str]] = defaultdict(list)
    for code, part in hmdb51._CODES.items():
        for video in annotation.parts.get(part, ()):
            check_class_folder(video, annotation.labels)
            name, _, rest = video.id.partition("/")
            lines[name].append(f"{rest} {code} ")
    for name in annotation.labels:
        write_lines(folder / hmdb51._file_name(name, split), sorted(lines[name]))


def write_kinetics(annotation: Annotation, folder: Path) -> None:
    """Write ``train.csv``, ``validate.csv`` and ``test.csv``, as far as there are such parts.

    Raises:
        CallError: what these files cannot say: other parts, several classes, another form of id, a class that
            no video has.
    """
    check_parts(annotation, tuple(_KINETICS_FILES))
    told = {label for videos in annotation.parts.values() for video in videos for label in video.labels}
    for label, name in enumerate(annotation.labels):
        if label not in told:
            raise CallError(f"no video is of class {name}, and this format names classes by videos alone")
    texts = {part: _kinetics_csv(annotation, part) for part in annotation.parts}
    for part, text in texts.items():
        write_text(folder / f"{_KINETICS_FILES[part]}.csv", text)


def _kinetics_csv(annotation: Annotation, part: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
    for video in annotation.parts[part]:
        stem = _STEM.fullmatch(video.id)
        if stem is None:
            raise CallError(f"{video.id} is no file stem of Kinetics, such as 0wR5jVB-WPk_000417_000427")
        unlabelled = part == "test" and not video.labels
        label = "" if unlabelled else only_label(video, annotation.labels)
        writer.writerow([label, stem[1], int(stem[2]), int(stem[3]), _KINETICS_FILES[part]])
    return text.getvalue()


def write_sports1m(annotation: Annotation, folder: Path) -> None:
    """Write the partitions and the labels.

    Raises:
        CallError: what these files cannot say: other parts than train and test, a video of no class, an id
            that is not YouTube's.
    """
    check_parts(annotation, sports1m._PARTS)
    lines = {
        part: [_sports1m_line(video) for video in annotation.parts.get(part, ())] for part in sports1m._PARTS
    }
    write_lines(folder / "labels.txt", annotation.labels)
    for part in sports1m._PARTS:
        write_lines(folder / f"{part}_partition.txt", lines[part])


def _sports1m_line(video: AnnotatedVideo) -> str:
    line = f"https://www.youtube.com/watch?v={video.id}"
    if not sports1m._ID.fullmatch(line) or not video.labels:
        raise CallError(
            f"{video.id} has {len(video.labels)} classes; this format needs YouTube's ids of 11 characters, "
            "and at least one class"
        )
    return f"{line} {','.join(map(str, video.labels))}"


def write_thumos14(annotation: Annotation, folder: Path) -> None:
    """Write a file for each class and part, and the videos' lengths as far as they are known.

    Raises:
        CallError: other parts than validation and test, an instance of an unknown class, or an ambiguous
            interval of a video that is in no part.
    """
    check_parts(annotation, tuple(thumos14._ENDINGS))
    known = {video.id for videos in annotation.parts.values() for video in videos}
    lost = [interval.video_id for interval in annotation.ambiguous if interval.video_id not in known]
    if lost:
        raise CallError(f"{lost[0]} has an ambiguous interval and is in no part; add it to one")
    for part, videos in annotation.parts.items():
        lines: dict[str, list[str]] = {name: [] for name in annotation.labels}
        for instance in (of for video in videos for of in video.instances):
            if instance.label not in lines:
                raise CallError(f"{instance.video_id} has an instance of {instance.label}, which is no class")
            lines[instance.label].append(_thumos14_line(instance))
        of_part = {video.id for video in videos}
        lines[thumos14.AMBIGUOUS] = [
            _thumos14_line(of) for of in annotation.ambiguous if of.video_id in of_part
        ]
        for name, found in lines.items():
            write_lines(folder / f"temporal_annotations_{part}" / f"{name}{thumos14._ENDINGS[part]}", found)
        lengths = {video.id: of for video in videos if (of := video.duration_seconds) is not None}
        if lengths:
            write_durations(lengths, folder / f"{part}_durations.txt")


def _thumos14_line(instance: ActionInstance) -> str:
    return f"{instance.video_id}  {instance.start_seconds!r} {instance.end_seconds!r}"


def write_durations(durations: Mapping[str, float], file: Path) -> None:
    """Write lengths in seconds, with the six decimals of the official files or as many as they need."""
    lines = []
    for video, seconds in durations.items():
        rounded = f"{seconds:.6f}"
        lines += [f"{video}.mp4", rounded if float(rounded) == seconds else repr(float(seconds))]
    write_lines(file, lines)


def write_thumos14_recognition(annotation: Annotation, folder: Path) -> dict[str, Path]:
    """Write the text of each part but ``train``, which UCF101's own files tell; gives part -> file.

    Raises:
        CallError: a part that the task does not have.
    """
    files = {}
    allowed = ("train", *thumos14._RECOGNITION_PARTS)
    for part, videos in annotation.parts.items():
        if part not in allowed:
            raise CallError(f"the annotation has the part {part!r}; the task has {', '.join(allowed)}")
        if part != "train":
            files[part] = folder / f"{part}_classes.txt"
            write_lines(
                files[part], (" ".join([of.id, *(str(label + 1) for label in of.labels)]) for of in videos)
            )
    return files


def write_ucf101(annotation: Annotation, folder: Path, split: int) -> None:
    """Write ``classInd.txt`` and the two lists of a split.

    Raises:
        CallError: another split, or what these files cannot say: other parts than train and test, a video
            that is not of one class and in its folder.
    """
    check_parts(annotation, ucf101._PARTS)
    split = split_of(split)
    lines: dict[str, list[str]] = {}
    for part in ucf101._PARTS:
        lines[part] = []
        for video in annotation.parts.get(part, ()):
            check_class_folder(video, annotation.labels)
            lines[part].append(f"{video.id} {video.labels[0] + 1}" if part == "train" else video.id)
    numbered = (f"{number} {name}" for number, name in enumerate(annotation.labels, 1))
    write_lines(folder / "classInd.txt", numbered)
    for part in ucf101._PARTS:
        write_lines(folder / f"{part}list{split:02d}.txt", lines[part])
