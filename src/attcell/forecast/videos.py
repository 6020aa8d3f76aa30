"""The videos of a recipe: how many there are, which of them are here, and the few that are measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from attcell._log import logger, track
from attcell._parallel import one_thread
from attcell._paths import absolute_text, is_there
from attcell._walls import own_parts, the_videos_own
from attcell._workers import results_in_turn
from attcell.config.recipe import Recipe
from attcell.data.listing import Listing
from attcell.errors import DataError, VideoError, first_lines
from attcell.models.build import input_spec
from attcell.models.listings import part_listing, read_listings
from attcell.types import VideoRecord
from attcell.video._passes import EveryFrame, promised_frames
from attcell.video.features import is_features

MOST_LOOKED_AT = 200  # videos whose frames are counted, to know the mean length


@dataclass(frozen=True)
class ListedVideos:
    """The videos that a recipe's lists name, here or not.

    Attributes:
        train: what is learnt from.
        val: what validates.
        test: what is tested; empty where the recipe names none.
        labels: the A classes.
        multi_label: whether a video may have several.
        here: those of all parts that are on this machine, each once, named by their places.
        num: different ones in all parts.
    """

    train: tuple[VideoRecord, ...]
    val: tuple[VideoRecord, ...]
    test: tuple[VideoRecord, ...]
    labels: tuple[str, ...]
    multi_label: bool
    here: tuple[VideoRecord, ...]
    num: int


def listed_videos(recipe: Recipe) -> ListedVideos:
    """All videos of a recipe, those that are missing too, whatever it does with them.

    Raises:
        CallError, DataError: a source that is not there or not right, or none of the videos is here.
    """
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"missing": "refuse"})})
    listings = read_listings(recipe)
    tested = part_listing(recipe.data, "test", listings.labels) or Listing((), listings.labels)
    different = {
        (record.path, record.frames): record for record in (*listings.train, *listings.val, *tested.records)
    }
    here = tuple(_by_place(record) for record in different.values() if is_there(record.path))
    if not here:
        raise DataError(_nothing_here(recipe, list(different.values())))
    return ListedVideos(
        listings.train,
        listings.val,
        tested.records,
        listings.labels,
        listings.multi_label,
        here,
        len(different),
    )


def _by_place(record: VideoRecord) -> VideoRecord:
    """The record under a name that no other has: its place on the disk."""
    whole = VideoRecord(absolute_text(record.path), record.path, record.labels)
    return whole if record.frames is None else whole.part(record.frames)


def _nothing_here(recipe: Recipe, records: Sequence[VideoRecord]) -> str:
    data = recipe.data
    place = data.root if data.root is not None else records[0].path.parent
    return (
        f"none of the {len(records):,} videos that the recipe names is here, first {records[0].path}, so "
        f"nothing can be measured; put ten of them into {place}, of different classes, or mend the recipe"
    )


@dataclass(frozen=True)
class Sample:
    """The videos that are measured.

    Attributes:
        records: in a drawn order.
        frames: of each.
        decoding: seconds that decoding each took, alone in one process; empty where none is decoded.
        mean_frames: of the videos here, from those that were looked at.
        num_looked_at: how many these are.
        unread: messages on those that cannot be read.
    """

    records: tuple[VideoRecord, ...]
    frames: tuple[int, ...]
    decoding: tuple[float, ...]
    mean_frames: float
    num_looked_at: int
    unread: tuple[str, ...]

    def only(self, records: Sequence[VideoRecord]) -> Sample:
        """The same of some of the records."""
        places = [self.records.index(record) for record in records]
        return Sample(
            tuple(records),
            tuple(self.frames[place] for place in places),
            tuple(self.decoding[place] for place in places if self.decoding),
            self.mean_frames,
            self.num_looked_at,
            self.unread,
        )


def draw_sample(recipe: Recipe, videos: ListedVideos, num: int, seed: int = 0) -> Sample:
    """Draw videos of all lengths and of many classes, and decode each once, which shows what can be read.

    Raises:
        DataError: none can be read.
    """
    rng = np.random.default_rng(seed)
    places = rng.permutation(len(videos.here))[: max(MOST_LOOKED_AT, num)]
    looked_at = [videos.here[place] for place in sorted(places)]
    counts = _counts(looked_at)
    readable = [(one, of) for one, of in zip(looked_at, counts, strict=True) if isinstance(of, int)]
    unread = [str(of) for of in counts if isinstance(of, VideoError)]
    mean = float(np.mean([of for _, of in readable])) if readable else 0.0
    chosen = spread_out(readable, num, rng)
    found: list[tuple[VideoRecord, int, float]] = []
    decoded = results_in_turn(partial(_decode, is_decoded=_is_decoded(recipe)), chosen, _path_of, 1)
    for record, of in zip(chosen, track(decoded, len(chosen), "decoding"), strict=True):
        if isinstance(of, VideoError):
            unread.append(str(of))
        else:
            found.append((record, *of))
    if not found:
        raise DataError(
            "\n".join(
                [f"none of the {len(unread)} videos that were looked at can be read:", *first_lines(unread)]
            )
        )
    seconds = tuple(of for _, _, of in found) if _is_decoded(recipe) else ()
    records, frames = tuple(of[0] for of in found), tuple(of[1] for of in found)
    return Sample(records, frames, seconds, mean, len(readable), tuple(unread))


def spread_out(
    found: Sequence[tuple[VideoRecord, int]], num: int, rng: np.random.Generator
) -> list[VideoRecord]:
    """As many of the videos, in a drawn order: one of each stretch of lengths, of a class that few have.

    Args:
        found: videos and how many frames they have.
        num: how many are wanted; all where there are fewer.
        rng: draws.
    """
    drawn = [found[place] for place in rng.permutation(len(found))]  # so that those of one length are mixed
    ordered = [record for record, _ in sorted(drawn, key=lambda one: one[1])]
    classes: Counter[tuple[int, ...]] = Counter()
    chosen = []
    for part in np.array_split(np.arange(len(ordered)), max(1, min(num, len(ordered)))):
        if not len(part):
            continue
        place = min(part, key=lambda place: classes[ordered[place].labels])
        classes[ordered[place].labels] += 1
        chosen.append(ordered[place])
    return [chosen[place] for place in rng.permutation(len(chosen))]


def _counts(records: Sequence[VideoRecord]) -> list[int | VideoError]:
    """Frames of each, by its packets, or why that cannot be told."""
    found = results_in_turn(_count, records, _path_of, 2)
    return list(track(found, len(records), "counting frames"))


def _count(record: VideoRecord) -> int:
    with the_videos_own(record.path):
        return promised_frames(record.path, frames=record.frames)


def _path_of(record: VideoRecord) -> Path:
    return record.path


def _is_decoded(recipe: Recipe) -> bool:
    """Whether a stream looks at pictures."""
    return input_spec(recipe).sees_pictures


def _decode(record: VideoRecord, is_decoded: bool) -> tuple[int, float]:
    """How many frames decode, and the seconds that takes on one thread."""
    if not is_decoded or is_features(record.path):
        return promised_frames(record.path, frames=record.frames), 0.0
    started = perf_counter()
    frames = EveryFrame(record.path, None, record.frames)
    with one_thread():
        num = sum(1 for _ in own_parts(record.path, frames))
    return num, perf_counter() - started


def tell_of_unread(sample: Sample) -> None:
    """Warn of videos that were looked at and cannot be read."""
    if sample.unread:
        logger.warning(
            "\n".join(
                [
                    f"{len(sample.unread)} videos that were looked at cannot be read, and are not measured; "
                    "`attcell data check` names all such:",
                    *first_lines(list(sample.unread)),
                ]
            )
        )
