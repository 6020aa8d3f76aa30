"""The real clips that are measured on, and the groups that are left out in turn."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from attcell.records import VideoRecord

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
    """

    name: str
    group_word: str
    records: tuple[VideoRecord, ...]
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    weights: Path

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
        VideoRecord(path.relative_to(root).as_posix(), path, labels.index(path.parent.name))
        for path in sorted(root.glob("*/*.avi"))
    )
    groups = tuple(record.path.stem.split("_")[0] for record in records)
    return _in_group_order(ClipSet("Weizmann", "actor", records, groups, labels, folder / WEIGHTS))


def ut_interaction(folder: Path) -> ClipSet:
    """UT-Interaction set 1: 6 interactions in 10 sequences, ``N_SEQUENCE_LABEL.avi``."""
    root = folder / "ut_interaction_set1"
    paths = sorted(root.glob("*.avi"), key=lambda path: int(path.stem.split("_")[0]))
    records = tuple(VideoRecord(path.name, path, int(path.stem.split("_")[2])) for path in paths)
    groups = tuple(path.stem.split("_")[1] for path in paths)
    return ClipSet("UT-Interaction set 1", "sequence", records, groups, UT_LABELS, folder / WEIGHTS)


CLIP_SETS = {"weizmann": weizmann, "ut": ut_interaction}


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
