"""The real clips that are measured on, and the groups that are left out in turn."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from attcell._files import written_whole
from attcell.types import Size, VideoRecord
from attcell.video._passes import EveryFrame

WEIGHTS = "squeezenet1_0_imagenet.safetensors"
UT_LABELS = ("shake", "hug", "kick", "point", "punch", "push")


@dataclass(frozen=True)
class ClipSet:
    """A data set of clips.

    Attributes:
        name: for tables.
        group_word: what is left out in turn: an actor, a sequence.
        records: the N videos.
        groups: the group of each video.
        labels: the A classes.
        weights: the file of the frozen backbone's weights.
        note: what was done to the videos.
    """

    name: str
    group_word: str
    records: tuple[VideoRecord, ...]
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    weights: Path
    note: str = "The videos as they are."

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups, in the order of their first video."""
        return tuple(dict.fromkeys(self.groups))


def data_folder() -> Path | None:
    """``$ATTCELL_DATA``, else ``../shared/data`` beside the checkout; ``None`` if it is not there."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ATTCELL_DATA", beside))
    return folder if folder.is_dir() else None


def weizmann(folder: Path) -> ClipSet:
    """10 actions × 9 actors, ``CLASS/ACTOR_CLASS.avi``."""
    root = folder / "weizmann"
    labels = tuple(sorted(path.name for path in root.iterdir() if path.is_dir()))
    records = tuple(
        VideoRecord(path.relative_to(root).as_posix(), path, (labels.index(path.parent.name),))
        for path in sorted(root.glob("*/*.avi"))
    )
    groups = tuple(record.path.stem.split("_")[0] for record in records)
    return _in_group_order(ClipSet("Weizmann", "actor", records, groups, labels, folder / WEIGHTS))


def ut_interaction(folder: Path) -> ClipSet:
    """UT-Interaction set 1: 6 interactions in 10 sequences, ``N_SEQUENCE_LABEL.avi``."""
    root = folder / "ut_interaction_set1"
    paths = sorted(root.glob("*.avi"), key=lambda path: int(path.stem.split("_")[0]))
    records = tuple(VideoRecord(path.name, path, (int(path.stem.split("_")[2]),)) for path in paths)
    groups = tuple(path.stem.split("_")[1] for path in paths)
    return ClipSet("UT-Interaction set 1", "sequence", records, groups, UT_LABELS, folder / WEIGHTS)


def ut_fixed_scale(folder: Path) -> ClipSet:
    """UT-Interaction with the same square in pixels cut from the middle of every clip.

    The clips were cut around people, so that their shape and size tell something of what happens. Here all
    have one shape and one scale, and what the cut leaves out is lost.
    """
    whole = ut_interaction(folder)
    side = min(min(_size(record.path)) for record in whole.records)
    out = Path("runs") / "real_clips" / f"ut_middle_{side}"
    records = tuple(
        VideoRecord(record.id, middle_of(record.path, out / f"{record.path.stem}.mkv", side), record.labels)
        for record in whole.records
    )
    note = (
        f"The middle {side} × {side} pixels of every clip, so that neither shape nor scale of the container "
        "gives anything away; people at its rim are cut off."
    )
    return replace(whole, name=f"{whole.name}, fixed scale", records=records, note=note)


def middle_of(video: Path, out: Path, side: int) -> Path:
    """The middle square of a video, without loss, to ``out``; what is there already is kept."""
    if out.is_file():
        return out
    with written_whole(out) as temporary, av.open(str(temporary), "w", format="matroska") as container:
        frames = EveryFrame(video)
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = side
        stream.pix_fmt = "bgr0"
        for frame in frames:
            top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
            middle = np.ascontiguousarray(frame[top : top + side, left : left + side])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(middle, format="rgb24")))
        container.mux(stream.encode(None))
    return out


def _size(video: Path) -> Size:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        return Size(stream.width, stream.height)


CLIP_SETS = {"weizmann": weizmann, "ut": ut_interaction, "ut_fixed_scale": ut_fixed_scale}


def _in_group_order(clips: ClipSet) -> ClipSet:
    order = sorted(range(len(clips.records)), key=lambda index: clips.groups[index])
    return ClipSet(
        clips.name,
        clips.group_word,
        tuple(clips.records[index] for index in order),
        tuple(clips.groups[index] for index in order),
        clips.labels,
        clips.weights,
    )
