"""Generated sets with the flow of their frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.data.synth.write import write_dataset
from attcell.engine.extract_flow import FlowRecipe, extract_flow
from attcell.engine.material import refuse_unread
from attcell.files import write_text
from attcell.progress import progress_bar
from attcell.reproduce.networks import FLOW_METHOD, FLOW_SIDE, Videos


def with_test_part(made: Videos, part: int, num_videos: int) -> Videos:
    """The same training videos, tested on one part of the test videos.

    Args:
        made: the set.
        part: which part, from 0.
        num_videos: test videos of each class in each part.
    """
    test = made.videos / "test"
    lines = [
        f"{(test / label / f'{number:03d}.mp4').relative_to(made.folder).as_posix()} {place}"
        for place, label in enumerate(sorted(folder.name for folder in test.iterdir()))
        for number in range(part * num_videos, (part + 1) * num_videos)
    ]
    names = made.folder / f"test-part-{part + 1}.txt"
    write_text(names, "".join(f"{line}\n" for line in lines))
    return replace(made, test=names)


def make_videos(
    folder: Path, kind: str, seed: int, videos: Mapping[str, int], jobs: int, num_classes: int = 6
) -> Videos:
    """Make a generated set of paths below ``folder``, and the TV-L1 flow. What is there is kept.

    Args:
        folder: for ``videos`` and ``flow``.
        kind: trimmed or untrimmed.
        seed: of the videos.
        videos: how many of each class in each split.
        jobs: how many videos' flow is computed side by side.
        num_classes: of the set.
    """
    made = Videos(folder)
    with progress_bar() as bar:
        task = bar.add_task(f"generating {folder.name}", total=None, note="")
        write_dataset(
            made.videos,
            kind,
            seed=seed,
            num_classes=num_classes,
            motions="paths",
            videos=videos,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    recipe = FlowRecipe(FLOW_METHOD, 20.0, FLOW_SIDE, False)
    outcome = extract_flow(_all_splits(made, videos), made.flow, recipe, workers=jobs)
    refuse_unread(list(outcome.failed.values()))
    return made


def _all_splits(made: Videos, splits: Iterable[str]) -> Listing:
    """One listing, for each call starts processes and compiles anew."""
    listings = {split: read_source(made.videos / split, None) for split in splits}
    records = [
        replace(record, id=f"{split}/{record.id}")
        for split, listing in listings.items()
        for record in listing.records
    ]
    return Listing(tuple(records), next(iter(listings.values())).labels)
