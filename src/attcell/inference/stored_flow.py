"""Which videos have their flow in the store that a recipe names, and what is said of the others."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from attcell._log import logger
from attcell._paths import is_there, real_path, short_names
from attcell.choices import DataPart
from attcell.config.recipe import Recipe
from attcell.data.feature_store import content_digest
from attcell.data.remembered import Check, cached_answers
from attcell.errors import AttcellError, DataError, first_lines
from attcell.models.build import input_spec
from attcell.models.listings import part_listing
from attcell.types import VideoRecord
from attcell.video.flow_files import DESCRIPTION, FLOW_FORMAT
from attcell.video.flow_source import FlowInput, NoFlow, check_store, flow_place_of
from attcell.video.frame_folder import open_frames

_DESCRIBED, _ANOTHER_TOOLS = "described", "another tool's"


class UnfitFlow(dict[Path, str]):
    """Video → why its flow on disk cannot be taken; and of which videos there is none (``missing``)."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: list[Path] = []

    def add(self, video: Path, why: AttcellError) -> None:
        """Note a video."""
        self[video] = str(why)
        if isinstance(why, NoFlow):
            self.missing.append(video)

    def lines(self, recipe: Recipe, of: str = "videos") -> list[str]:
        """What to say of them: how many, the first ones, and the command that makes what is missing."""
        missing = f"  {len(self.missing)} of them are not in it; to complete it: {store_command(recipe)}"
        return [
            f"{recipe.flow.store} does not fit {len(self)} {of}:",
            *first_lines(list(self.values())),
            *([missing] if self.missing else []),
        ]


def store_command(recipe: Recipe) -> str:
    """What to run to fill a recipe's store, or a store for it, where it names none.

    It is one command, or for training, validation and test videos that lie apart one for each source that has
    a video without flow. Of folders each then gets a folder of its own name in the store, for videos of two
    of them may have one name.
    """
    data, store = recipe.data, recipe.flow.store or Path("flow")
    if data.dataset is not None:
        assert data.root is not None, "checked by the section"
        return _command(recipe, data.root, store)
    sources: dict[Path, DataPart] = {}
    for part, source in zip(get_args(DataPart), (data.train, data.val, data.test), strict=True):
        if source is not None:
            sources.setdefault(source, part)
    folders = [source for source in sources if source.is_dir()]
    names = short_names([str(folder.absolute()) for folder in folders]) if len(folders) > 1 else []
    places = dict(zip(folders, (store / name for name in names), strict=False))
    if data.train in places and _is_filled_from(store, places[data.train], data.train):
        places[data.train] = store
    lacking = [source for source, part in sources.items() if _lacks_flow(recipe, part)] or list(sources)
    return " && ".join(_command(recipe, source, places.get(source, store)) for source in lacking)


def _command(recipe: Recipe, source: Path, out: Path) -> str:
    flow, data = recipe.flow, recipe.data
    options = {"method": flow.method, "bound": f"{flow.bound:g}"}
    options["short-side"] = str(flow.short_side or recipe.input.short_side)
    if flow.camera != "keep":
        options["camera"] = flow.camera
    if data.dataset is None and data.root is not None:
        options["root"] = str(data.root)
    words = ["attcell", "extract", "flow", str(source), str(out)]
    return shlex.join([*words, *(word for name, value in options.items() for word in (f"--{name}", value))])


def _is_filled_from(store: Path, place: Path, source: Path) -> bool:
    """Whether a store was begun with this source's folders themselves, and not in a folder for it."""
    return not place.exists() and any(
        (store / inside.name).is_dir() for inside in source.iterdir() if inside.is_dir()
    )


def _lacks_flow(recipe: Recipe, part: DataPart) -> bool:
    """Whether the store lacks the flow of a video of this part, or that is not known."""
    store = recipe.flow.store
    if store is None:
        return True
    try:
        listing = part_listing(recipe.data, part)
        for record in () if listing is None else listing.records:
            flow_place_of(store, record.path)
    except AttcellError:
        return True
    return False


def unfit_flow(recipe: Recipe, records: Sequence[VideoRecord]) -> UnfitFlow:
    """The videos whose flow on disk cannot be taken; none where flow is computed from the frames.

    What was found to fit is remembered while video and flow stay the same.
    """
    unfit, flow = UnfitFlow(), input_spec(recipe).flow
    if flow.store is None or not _reads_store(recipe):
        return unfit
    paths = dict.fromkeys(record.path for record in records)
    there = [path for path in paths if is_there(path)]  # others are named for that
    of_others: dict[Path, Path] = {}  # flow that does not say what it was made from → the video that has it
    for path, (place, found) in zip(there, _fitting(flow, flow.store, there), strict=True):
        if isinstance(found, AttcellError):
            unfit.add(path, found)
        elif found == _ANOTHER_TOOLS and of_others.setdefault(place, path) != path:
            unfit[path] = (
                f"{place} would be the flow of both {of_others[place]} and {path}; put each "
                "video's flow into a folder as the video's own"
            )
    if of_others:
        logger.info(
            f"the flow of {len(of_others)} videos in {flow.store} is another tool's and does not say how it "
            f"was made: taken with a bound of {flow.spec.bound:g} (flow.bound), between neighbouring frames"
        )
    return unfit


def refuse_unfit_flow(recipe: Recipe, records: Sequence[VideoRecord]) -> None:
    """Raise a DataError that names the videos whose flow on disk cannot be taken, before long work."""
    unfit = unfit_flow(recipe, records)
    if unfit:
        raise DataError("\n".join(unfit.lines(recipe)))


def tell_of_test_flow(recipe: Recipe, labels: Sequence[str]) -> None:
    """Warn before a training of test videos whose flow cannot be taken: ``attcell test`` could not read them.

    Test videos that cannot be listed yet are left to the test.
    """
    try:
        listing = part_listing(recipe.data, "test", labels) if _reads_store(recipe) else None
    except AttcellError:
        return
    unfit = unfit_flow(recipe, () if listing is None else listing.records)
    if unfit:
        logger.warning("\n".join(unfit.lines(recipe, of="test videos")))


def with_stored_flow(recipe: Recipe, videos: Sequence[Path]) -> frozenset[Path]:
    """The videos whose flow is taken from the recipe's store: those whose flow is there, whole, and theirs.

    Where the recipe names a store, it is said of how many other videos flow is computed as it goes, and why.
    Flow that does not say what it was made from is taken of the recipe's own videos alone: by a name, that
    of another video could be meant.
    """
    flow = input_spec(recipe).flow
    if flow.store is None or not _reads_store(recipe):
        return frozenset()
    there = list(dict.fromkeys(path for path in videos if is_there(path)))
    computed: dict[Path, str] = {}
    for path, (place, found) in zip(there, _fitting(flow, flow.store, there), strict=True):
        if isinstance(found, AttcellError):
            computed[path] = str(found)
        elif found == _ANOTHER_TOOLS and not _is_of(recipe, path):
            computed[path] = f"{place} does not say what it was made from, and {path} is not the recipe's"
    if computed:
        logger.info(
            "\n".join(
                [
                    f"flow of {len(computed)} of {len(there)} videos is computed as it goes, not taken from "
                    f"{flow.store}:",
                    *first_lines(list(computed.values()), most=3),
                ]
            )
        )
    return frozenset(path for path in there if path not in computed)


def _reads_store(recipe: Recipe) -> bool:
    """Whether a stream takes its flow from the store; another stream's input may lie elsewhere on disk."""
    spec = input_spec(recipe)
    return any(
        spec.only([name]).needs_store and not spec.only([name]).computing_flow().needs_store
        for name in spec.streams
    )


def _is_of(recipe: Recipe, video: Path) -> bool:
    """Whether a video lies where the recipe's videos do."""
    data = recipe.data
    folders = [data.root, data.train, data.val, data.test]
    return any(folder is not None and real_path(video).is_relative_to(_folder(folder)) for folder in folders)


def _folder(source: Path) -> Path:
    """A source's own folder, or the one that a list lies in."""
    return source.resolve() if source.is_dir() else source.resolve().parent


def _fitting(flow: FlowInput, store: Path, videos: Sequence[Path]) -> list[tuple[Path, str | AttcellError]]:
    """The place of each video's flow, and whether that says what it was made from; or what is wrong."""
    names = {path.name for path in store.iterdir()} if store.is_dir() else set()
    places: list[Path] = []
    checks = []
    for video in videos:
        try:
            place = flow_place_of(store, video, names)
        except DataError as error:
            places.append(store)
            checks.append(Check("", (), partial(_refuse, video, error)))
            continue
        places.append(place)
        described = place / DESCRIPTION
        files = (video, place, described) if described.is_file() else (video, place)
        pictures = (video,) if described.is_file() and video.is_dir() else ()  # a digest of them is compared
        spec = flow.spec
        wanted = f"{spec.method} {spec.bound} {spec.short_side} {spec.camera} {video.absolute()}"
        check = Check(f"flow {FLOW_FORMAT} {wanted} {place}", files, partial(_check, flow, video), pictures)
        checks.append(check)
    return list(zip(places, cached_answers(checks, "checking flow"), strict=True))


def _check(flow: FlowInput, video: Path) -> str:
    files = check_store(flow, video, partial(content_digest, video))
    return _ANOTHER_TOOLS if files.description is None else _DESCRIBED


def _refuse(video: Path, error: DataError) -> str:
    """Raise the error; of a folder of frames that cannot be read, for that."""
    if video.is_dir():
        open_frames(video)
    raise error
