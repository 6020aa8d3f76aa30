"""What names, first frames and counts of videos hint at: groups that nobody told, classes that are too few.

A hint proves nothing. What looks like groups is proposed as an expression for ``data.groups``, to look at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from attcell.data.listing import shortened
from attcell.errors import VideoError
from attcell.types import Size, VideoRecord
from attcell.video.decode import read_frames
from attcell.video.features import is_features

MOST_COMPARED = 20_000  # videos: each is compared with each
MOST_DIFFERING = 5  # of 64 bits, of first frames that look alike
LEAST_CONTRAST = 6.0  # grey levels, the deviation: less is black, or a fade
LEAST_SHARE = 1.5  # videos of a group, in the mean
UNEVEN = 10  # times as many videos of one class as of another
# Words before a number that are rather a place or a person than a count of clips.
_TOLD = (
    "group|grp|g|person|people|subject|subj|sub|actor|player|participant|user|patient|id|p|s|film|movie|scene|"
    "session|sess|sequence|seq|source|src|place|room|site|day|date|trial"
)


@dataclass(frozen=True)
class ProposedGroups:
    """Groups that names look like.

    Attributes:
        expression: for ``data.groups``.
        what: it finds, in words.
        num_groups: how many that makes.
        num_videos: in all of them.
        example: one of the groups.
    """

    expression: str
    what: str
    num_groups: int
    num_videos: int
    example: str

    def sentence(self, key: str = "data.groups=") -> str:
        """What to look at, and how to give it: what comes before the expression."""
        return (
            f"{self.what[0].upper()}{self.what[1:]} would make {self.num_groups} groups of "
            f"{self.num_videos} videos, such as {self.example!r}; if these belong together: "
            f"{key}'{self.expression}'"
        )


def propose_groups(records: Sequence[VideoRecord]) -> ProposedGroups | None:
    """The first expression, the plainest first, that parts these videos into something like groups, or None.

    Each video must be in a group, groups must have several videos, and some class several groups: what merely
    tells the class, or counts a class's clips, is none.
    """
    for expression, what in _expressions([record.id for record in records]):
        found = [_matched(expression, record.id) for record in records]
        if all(found) and _are_groups(found, [record.labels for record in records]):
            counts = Counter(found)
            example = counts.most_common(1)[0][0]
            return ProposedGroups(expression, what, len(counts), len(found), example)
    return None


def _matched(expression: str, name: str) -> str:
    match = re.search(expression, name)
    return match[1] if match else ""


def _expressions(ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Expressions to try, with what they find."""
    names = [PurePosixPath(id).with_suffix("").as_posix() for id in ids]
    yield r"^[^/]+/([^/]+)/", "folders inside the classes"
    for before, behind in (("_", "_"), ("/", "_"), ("(?:^|[^A-Za-z])", "(?![0-9])")):
        for word in _told_words(names):
            yield f"{before}({word}[0-9]+){behind}", f"the number behind {word!r} in the names"
    for sign in "_-. ":
        fewest = min((len(name.rpartition("/")[2].split(sign)) for name in names), default=0)
        part = rf"[^/{sign}]+"
        if fewest > 1:
            yield rf"({part}){re.escape(sign)}[^/]*$", f"the names' part before the first {sign!r}"
        for place in range(1, fewest - 1):
            passed = (part + re.escape(sign)) * place
            what = f"the names' part {place + 1}, between {sign!r}"
            yield rf"(?:^|/){passed}({part}){re.escape(sign)}[^/]*$", what
    suffix = "" if any("." not in name for name in ids) else r"\.[^./]+"
    yield rf"([^/]*[^/0-9_. -])[_. -]*[0-9]+{suffix}$", "the names without their last number"


def _told_words(names: Sequence[str]) -> list[str]:
    """The words before a number that all names have, and that rather mean a group than a clip."""
    pattern = re.compile(rf"(?:^|[^A-Za-z])({_TOLD})(?=[0-9])", re.IGNORECASE)
    shared: list[str] = list(dict.fromkeys(pattern.findall(names[0]))) if names else []
    return [word for word in shared if all(word in pattern.findall(name) for name in names)]


def _are_groups(found: Sequence[str], labels: Sequence[tuple[int, ...]]) -> bool:
    """Whether these have several videos each, and part a class."""
    number = len(set(found))
    if number < 2 or len(found) / number < LEAST_SHARE:
        return False
    groups_of: dict[tuple[int, ...], list[str]] = {}
    for group, of in zip(found, labels, strict=True):
        groups_of.setdefault(of, []).append(group)
    parted = [groups for groups in groups_of.values() if len(set(groups)) > 1]
    counts_clips = all(len(set(groups)) == len(groups) for groups in groups_of.values())
    return 2 * len(parted) > len(groups_of) and not (counts_clips and _are_numbers(found))


def _are_numbers(found: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[A-Za-z]?[0-9]+", group) for group in found)


# First frames that look alike.


def first_frame_hash(record: VideoRecord) -> int | None:
    """A 64-bit difference hash of a video's first frame: of 9 × 8 grey means, whether each is lighter than
    its right neighbour. None for a video that cannot be read, is features, or begins without contrast.
    """
    if is_features(record.path):
        return None
    try:
        read = read_frames(
            record.path,
            lambda _: np.zeros(1, dtype=np.int64),
            size=lambda _: Size(72, 64),
            frames=record.frames,
        )
    except VideoError:
        return None
    means = read.images[0].mean(axis=2).reshape(8, 8, 9, 8).mean(axis=(1, 3))
    if means.std() < LEAST_CONTRAST:
        return None
    bits = (means[:, :-1] > means[:, 1:]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def look_alikes(hashes: Mapping[str, int]) -> list[list[str]]:
    """Sets of ids whose first frames look alike, the largest first; a chain of such pairs is one set.

    Args:
        hashes: id → hash; beyond ``MOST_COMPARED`` they are not looked at.
    """
    ids = list(hashes)[:MOST_COMPARED]
    values = np.array([hashes[id] for id in ids], dtype=np.uint64)
    leader = np.arange(len(ids))
    for place in range(1, len(ids)):
        near = np.flatnonzero(np.bitwise_count(values[:place] ^ values[place]) <= MOST_DIFFERING)
        if len(near):
            joined = np.unique(leader[near])
            leader[np.isin(leader, [*joined, place])] = joined[0]
    sets: dict[int, list[str]] = {}
    for id, first in zip(ids, leader.tolist(), strict=True):
        sets.setdefault(first, []).append(id)
    return sorted((alike for alike in sets.values() if len(alike) > 1), key=len, reverse=True)


# Classes of which there are few videos.


def few_videos(labels: Sequence[str], counts: Sequence[int], *, balanced: bool = False) -> list[str]:
    """A sentence for classes of a single video, and one where there are far more videos of one class.

    Args:
        labels: the A classes.
        counts: the videos of each; a class without any says nothing here.
        balanced: classes count alike in training, however many videos they have.
    """
    there = {label: count for label, count in zip(labels, counts, strict=True) if count}
    single = [label for label, count in there.items() if count == 1]
    said = []
    if single:
        said.append(
            f"{len(single)} of {len(labels)} classes have one video, of which nothing is left to validate or "
            f"test by: {shortened(single, ', ')}"
        )
    if not there:
        return said
    most, least = max(there, key=there.__getitem__), min(there, key=there.__getitem__)
    if there[most] >= UNEVEN * there[least] and not balanced:
        said.append(
            f"the classes are uneven, {there[most]:,} videos of {most} and {there[least]:,} of {least}: "
            "accuracy can be high without the small classes; look at the mean over classes, and balance the "
            "training (train.class_weights=balanced or train.balanced_sampling=true)"
        )
    return said
