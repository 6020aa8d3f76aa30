"""What a training says of its videos before it begins: what belongs together, is shared, or is too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attcell._log import is_within, logger
from attcell.config.recipe import Recipe
from attcell.config.schema import DataSection
from attcell.data.groups import classes_of_groups, read_groups, shared_groups
from attcell.data.hints import few_videos, propose_groups
from attcell.data.listing import shortened
from attcell.errors import AttcellError
from attcell.models.listings import Listings, part_listing, shared_videos
from attcell.types import VideoRecord


def tell_of_videos(recipe: Recipe, listings: Listings) -> None:
    """Say what is to be known of a training's videos, each in one message; of one training of many nothing.

    Raises:
        CallError, DataError: test videos that are not there, of classes that the training lacks, or without a
            group.
    """
    data = recipe.data
    tested = _test_videos(data, listings.labels)
    if is_within():
        return
    if data.groups is not None:
        logger.info(_groups_sentence(data, listings))
    elif _holds_out_singly(recipe, listings):
        logger.info(_ungrouped_sentence(recipe, listings))
    for sentence in (
        *_shared_sentences(listings, tested),
        *_few_sentences(recipe, listings),
        *_file_sentences(data, (*listings.train, *listings.val, *tested)),
    ):
        logger.warning(sentence)


def _test_videos(data: DataSection, labels: Sequence[str]) -> tuple[VideoRecord, ...]:
    """Of sources, and where groups are given of known data sets, whose classes are always the training's."""
    if data.test is None and (data.dataset is None or data.groups is None):
        return ()
    try:
        listing = part_listing(data, "test", labels)
    except AttcellError as error:
        raise type(error)(f"the test videos, data.test: {error}") from error
    assert listing is not None, "the section names test videos"
    return listing.records


def _groups_sentence(data: DataSection, listings: Listings) -> str:
    train, val = classes_of_groups(listings.train), classes_of_groups(listings.val)
    both = classes_of_groups((*listings.train, *listings.val))
    num_videos = len(listings.train) + len(listings.val)
    own = f", in place of those of {data.dataset}" if data.dataset is not None else ""
    held = f", {len(val)} of them for validation" if val and data.val_fraction > 0 else ""
    said = f"data.groups makes {len(both)} groups of {num_videos} videos{own}{held}"
    if len(both) == num_videos:
        return f"{said}: each video is a group of its own, and nothing is held together; is the group right?"
    several = sum(len(classes) > 1 for classes in both.values())
    if several and train:
        said += (
            f"; {several} groups are in several classes, as people or places are (if they are other scenes "
            "under one name, let the expression match the class too)"
        )
    return said


def _holds_out_singly(recipe: Recipe, listings: Listings) -> bool:
    """Whether videos are held out one by one, because nobody says what belongs together."""
    chooses = recipe.model.classifier == "svm" and recipe.data.dataset is None
    return (recipe.data.val_fraction > 0 or chooses) and not classes_of_groups(listings.train)


def _ungrouped_sentence(recipe: Recipe, listings: Listings) -> str:
    held = "the SVM's inner folds"
    if recipe.data.val_fraction > 0:
        held = f"the {len(listings.val)} validation videos"
    said = (
        f"{held} are drawn video by video, and may share people, places or recordings with the training: "
        "their accuracy then flatters. Say what belongs together: data.groups=EXPRESSION, FILE.csv or column"
    )
    proposed = propose_groups((*listings.train, *listings.val)) if recipe.data.dataset is None else None
    return said if proposed is None else f"{said}. {proposed.sentence()}"


def _shared_sentences(listings: Listings, tested: Sequence[VideoRecord]) -> list[str]:
    """What says too much of a metric: groups or videos in two parts. Of validation videos that are given it
    was said when they were read.
    """
    parts = {"validation": listings.val, "test": tested}
    said = [shared_groups(listings.train, records, part) for part, records in parts.items()]
    if shared := shared_videos((*listings.train, *listings.val), tested, "data.test"):
        said.append(f"{shared}; the test's metrics repeat what was learnt")
    return [sentence for sentence in said if sentence]


def _few_sentences(recipe: Recipe, listings: Listings) -> list[str]:
    """Classes with one training video, with far fewer than others, or none to validate by."""
    counts = _counts(listings.train, len(listings.labels))
    balanced = recipe.train.class_weights is not None or recipe.train.balanced_sampling
    said = few_videos(listings.labels, counts, balanced=balanced)
    held = _counts(listings.val, len(listings.labels))
    lacking = [label for label, n in zip(listings.labels, held, strict=True) if not n]
    if listings.val and lacking:
        said.append(
            f"{len(lacking)} of {len(listings.labels)} classes have no validation video, and do not count in "
            f"the choice of the best network: {shortened(lacking, ', ')}"
        )
    return said


def _counts(records: Sequence[VideoRecord], num_classes: int) -> list[int]:
    found = Counter(label for record in records for label in record.labels)
    return [found[label] for label in range(num_classes)]


def _file_sentences(data: DataSection, records: Sequence[VideoRecord]) -> list[str]:
    """Names of a CSV that no video has."""
    if data.groups is None or isinstance(data.groups, str):
        return []
    unknown = read_groups(data.groups).unknown(records)
    if not unknown:
        return []
    return [
        f"{data.groups} names {len(unknown)} videos that are in no part of the data, and passed over: "
        f"{shortened(unknown, ', ')}"
    ]
