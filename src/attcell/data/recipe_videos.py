"""The videos that a recipe's data section names: a source of the user's own, or a known data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attcell.data.known_sets import set_listing
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.sections import DataSection


def part_listing(
    data: DataSection, part: Literal["train", "val", "test"], labels: Sequence[str] | None = None
) -> Listing | None:
    """The videos of one part; None where the section names none.

    Args:
        data: a recipe's section. What it holds out of its training videos is still among them here.
        part: a known data set has train and test.
        labels: a model's classes; by default those that the source shows.

    Raises:
        CallError, DataError: a source that is not there or not right.
    """
    if data.dataset is not None:
        assert data.root is not None, "checked by the section"
        if part == "val":
            return None
        return set_listing(
            data.dataset,
            data.root,
            data.annotations,
            data.split,
            part,
            leave_out_missing=data.missing == "leave_out",
            labels=labels,
        )
    source = {"train": data.train, "val": data.val, "test": data.test}[part]
    return None if source is None else read_source(source, data.root, labels)
