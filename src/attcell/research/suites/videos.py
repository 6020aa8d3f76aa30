"""Generated sets with the flow of their frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from attcell._files import write_text
from attcell._log import progress_bar
from attcell.choices import VideoLook
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.inference.extract import refuse_unread
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.synth.write import write_dataset
from attcell.video.optical_flow import FlowSpec

FLOW_METHOD = "fast"
FLOW_SIDE = 56  # pixels of the short side that flow is computed at, half of the frame's


@dataclass(frozen=True)
class Planned:
    """A generated set of paths to make.

    Attributes:
        kind: trimmed or untrimmed.
        seed: of the videos.
        videos: how many of each class in each split.
        num_classes: of the set.
        look: how the videos are drawn.
    """

    kind: str
    seed: int
    videos: Mapping[str, int]
    num_classes: int = 6
    look: VideoLook = "plain"


@dataclass(frozen=True)
class Videos:
    """A generated set that is there, and its flow.

    Attributes:
        folder: with a folder for each split.
        flow: the store with the flow of its frames.
        test: what is tested on: a split's folder, or a list of some of its videos.
    """

    folder: Path
    flow: Path
    test: Path


def make_videos(out: Path, sets: Mapping[str, Planned]) -> dict[str, Videos]:
    """Make sets below ``out``, and the flow of all of their frames at once. What is there is kept.

    Args:
        out: for ``videos`` and ``flow``.
        sets: name → what to make.
    """
    folders = {name: out / "videos" / name for name in sets}
    for name, planned in sets.items():
        _draw(folders[name], planned)
    splits = [folders[name] / split for name, planned in sets.items() for split in planned.videos]
    spec, layout = FlowSpec(FLOW_METHOD, short_side=FLOW_SIDE), Layout(frames=False)
    outcome = extract_flow(_of_all(splits, out / "videos"), out / "flow", spec, layout=layout)
    refuse_unread(list(outcome.failed.values()))
    return {name: Videos(folder, out / "flow", folder / "test") for name, folder in folders.items()}


def with_part_of_test(videos: Videos, part: int, num_videos: int) -> Videos:
    """The same training videos, tested on one part of the test videos.

    Args:
        videos: the set.
        part: which part, from 0.
        num_videos: test videos of each class in each part.
    """
    test, names = videos.folder / "test", videos.folder / f"test-part-{part + 1}.txt"
    lines = [
        f"test/{label}/{number:03d}.mp4 {place}"
        for place, label in enumerate(sorted(folder.name for folder in test.iterdir()))
        for number in range(part * num_videos, (part + 1) * num_videos)
    ]
    write_text(names, "".join(f"{line}\n" for line in lines))
    return replace(videos, test=names)


def _draw(folder: Path, planned: Planned) -> None:
    with progress_bar() as bar:
        task = bar.add_task(f"generating {folder.name}", total=None, note="")
        write_dataset(
            folder,
            planned.kind,
            seed=planned.seed,
            num_classes=planned.num_classes,
            motions="paths",
            look=planned.look,
            videos=planned.videos,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _of_all(folders: Iterable[Path], above: Path) -> Listing:
    """One listing, for each call of what computes flow starts processes anew."""
    listings = [read_source(folder, None) for folder in folders]
    records = [
        replace(record, id=record.path.relative_to(above).as_posix())
        for listing in listings
        for record in listing.records
    ]
    return Listing(tuple(records), listings[0].labels)
