"""Computing the feature maps of frozen backbones once, for training and testing to draw from.

Each stream has a store of its own, so that a network of other streams finds what is there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import av
import torch
from torch import Tensor

from attcell._files import read_json
from attcell._log import logger, track
from attcell._parallel import Background
from attcell._paths import is_there
from attcell._spread import in_places, spread
from attcell._walls import the_videos_own
from attcell.choices import CacheForm
from attcell.config.recipe import Recipe
from attcell.data.datasets import PlannedParts
from attcell.data.feature_store import DigestCache, FeatureKeeper, FeatureStore, name_in
from attcell.data.remembered import Check, cached_answers
from attcell.errors import AttcellError, DataError, VideoError, first_lines
from attcell.inference.run import Gathered, gather, with_maps
from attcell.models.build import input_spec
from attcell.models.weights import state_digest
from attcell.nn import BackboneStream, Network
from attcell.types import VideoRecord
from attcell.video._passes import check_opens, promised_frames
from attcell.video.features import features_beside, features_of, is_features, refuse_not_finite
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import Modality, modality
from attcell.video.sampling import ViewPlan
from attcell.video.sound.source import refuse_missing

FEATURES_FORMAT = 3  # raise it when what a store is described by, or what it holds, changes
DECODING_VERSION = 3  # raise it when the same video would give other frames
OPENING_VERSION = f"2 {av.__version__}"  # raise it when other videos can be opened


def feature_store(
    folder: Path,
    name: str,
    stream: BackboneStream,
    spec: InputSpec,
    plan: ViewPlan,
    cache: DigestCache | None = None,
    form: CacheForm = "files",
) -> FeatureStore:
    """The store of what a stream's backbone makes of these views; ``cache`` knows the videos' digests, and
    ``form`` is for a store that is not there yet.
    """
    backbone, entry = stream.backbone, modality(name)
    cache = DigestCache(folder) if cache is None else cache
    made_by = {
        "format": FEATURES_FORMAT,
        "stream": name,
        "backbone": backbone.name,
        "tap": backbone.tap,
        "weights": state_digest(backbone),
        "input": asdict(spec.frame),
        "normalise": None if stream.normalise is None else stream.normalise.figures(),
        "views": asdict(plan),
        "decoding": DECODING_VERSION,
        "is_stored": entry.is_stored(spec),
        "described": entry.described(spec),
        **({"time": "keep"} if backbone.keeps_time else {}),
    }
    if not entry.is_stored(spec):
        return FeatureStore(folder, made_by, cache.digest, form)
    return FeatureStore(folder, made_by, partial(_name_with_input, cache, entry, spec), form)


def _name_with_input(
    cache: DigestCache, entry: Modality, spec: InputSpec, video: Path, frames: range | None
) -> str:
    """A name for a video's content and its input on disk, such as flow, which may be made again."""
    stored_as = entry.stored_as(spec, video)
    return hashlib.sha256(f"{cache.digest(video, frames)} {stored_as}".encode()).hexdigest()[:24]


class _Wanted(NamedTuple):
    """A video of which features lack, and stream → its name in the store that lacks them; "" where it could
    not be read.
    """

    record: VideoRecord
    names: dict[str, str]


def extract_features(
    stores: Mapping[str, FeatureKeeper],
    network: Network,
    records: Sequence[VideoRecord],
    spec: InputSpec,
    plan: ViewPlan,
    *,
    workers: int,
) -> dict[str, str]:
    """Fill each stream's store with what it lacks, and return video id → message of what cannot be read.

    Whoever computes the features of a video writes them too, here or on a cluster.

    Raises:
        CallError: another process fills a store that one process fills at a time.
    """
    wanted = list(_lacking(stores, records))
    if not wanted:  # processes that decode nothing would still have to be started
        return {}
    spec = spec.only([name for name in spec.streams if any(name in one.names for one in wanted)])
    network.eval()
    fill = partial(_fill, stores=stores, network=network, spec=spec, plan=plan, workers=workers)
    failed = {}
    with ExitStack() as held:
        for name in spec.streams:
            held.enter_context(stores[name].filling())
        folders = [stores[name].folder for name in spec.streams]
        results = spread(fill, wanted, _path_of, computes=True, into=folders)
        for one, fault in zip(wanted, track(results, len(wanted), "features"), strict=True):
            if fault is not None:
                failed[one.record.id] = str(fault)  # elsewhere a video may end its process
    return failed


def _lacking(stores: Mapping[str, FeatureKeeper], records: Sequence[VideoRecord]) -> Iterator[_Wanted]:
    for record in records:
        names = {name: name_in(store, record) for name, store in stores.items() if not store.holds(record)}
        if names:
            yield _Wanted(record, names)


def _path_of(wanted: _Wanted) -> Path:
    return wanted.record.path


def _fill(
    wanted: Sequence[_Wanted],
    stores: Mapping[str, FeatureKeeper],
    network: Network,
    spec: InputSpec,
    plan: ViewPlan,
    workers: int,
) -> Iterator[str | None]:
    """Why a video's features are not in the stores now; None where they are."""
    parts = PlannedParts([one.record for one in wanted], spec, plan).walled(workers)
    videos = gather(with_maps(network, parts), _small)
    with ExitStack() as opened:
        for name in spec.streams:
            opened.enter_context(stores[name].writing())
        found = in_places(_kept(videos, wanted, stores))
        are_seen = all(stores[name].is_seen_at_once for name in spec.streams)
        if are_seen:
            yield from found
        else:
            waiting = list(found)
    if not are_seen:
        yield from waiting


def _kept(
    videos: Iterable[Gathered[dict[str, Tensor]]],
    wanted: Sequence[_Wanted],
    stores: Mapping[str, FeatureKeeper],
) -> Iterator[tuple[int, str | None]]:
    """Each video's place once it is written, and None; or why it cannot be read."""
    with Background() as writing:
        for video in videos:
            if video.error is not None:
                yield video.video, str(video.error)
                continue
            record, names = wanted[video.video]
            for name, known in names.items():
                maps = torch.cat([part[name] for part in video.parts], dim=1)
                writing.do(partial(_keep, stores[name], record, known, maps, video.notes), video.video)
            yield from ((place, None) for place in writing.done())
        writing.wait()
        yield from ((place, None) for place in writing.done())


def _keep(store: FeatureKeeper, record: VideoRecord, name: str, maps: Tensor, notes: tuple[str, ...]) -> None:
    store.keep(name or store.name(record), record.id, maps, notes)


def _small(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As maps are kept: in 16 bits."""
    return {name: of.half().cpu() for name, of in maps.items()}


def unfit_features(recipe: Recipe, records: Sequence[VideoRecord]) -> dict[Path, str]:
    """Video → why its features, computed elsewhere, cannot be taken: missing, of another width than the rest
    or of another length than the video, not finite; or a stream looks at pictures, and there are none.

    What was found to fit is remembered while the files stay the same.
    """
    spec = input_spec(recipe)
    given = "features" in spec.streams
    there = [record for record in records if is_features(record.path) or (given and is_there(record.path))]
    if not there:
        return {}
    found = cached_answers([_look_at_features(spec, record) for record in there], "checking features")
    return {
        record.path: str(of) for record, of in zip(there, found, strict=True) if isinstance(of, AttcellError)
    }


def refuse_unfit_features(recipe: Recipe, records: Sequence[VideoRecord]) -> None:
    """Raise a DataError that names the videos whose features cannot be taken, before long work."""
    unfit = list(unfit_features(recipe, records).values())
    if unfit:
        raise DataError(
            "\n".join([f"the features of {len(unfit)} videos cannot be taken:", *first_lines(unfit)])
        )


def _look_at_features(spec: InputSpec, record: VideoRecord) -> Check:
    features, path = spec.features, record.path

    def find() -> str:
        with the_videos_own(path):
            spec.refuse_features(path)
            found = features_of(features, path, record.frames)
            refuse_not_finite(found.path, found.rows)
            if not is_features(path):
                found.refuse_other_length(promised_frames(path))
        return "fits"

    files = [path]
    if features.folder is not None and not is_features(path):
        try:
            files.append(features_beside(features.folder, path))
        except VideoError:
            files = []  # it is told when it is looked for
    wanted = f"{features.dim} {features.fps} {features.stride} {record.frames}"
    return Check(f"features {spec.sees_pictures} {wanted}", tuple(files), find)


def filled_stores(
    folder: Path,
    recipe: Recipe,
    network: Network,
    records: Sequence[VideoRecord],
    plan: ViewPlan,
    device: torch.device,
) -> tuple[dict[str, FeatureStore], dict[str, str]]:
    """Stream → the store with all that can be read, and video id → message of what cannot."""
    stores = stores_of(folder, recipe, network, records, plan)
    return stores, fill_stores(stores, recipe, network.to(device), records, plan)


def stores_of(
    folder: Path, recipe: Recipe, network: Network, records: Sequence[VideoRecord], plan: ViewPlan
) -> dict[str, FeatureStore]:
    """Stream → its store, as it is; the videos' digests are known then."""
    _tell_of_older_stores(folder)
    spec = input_spec(recipe)
    cache = DigestCache(folder)
    cache.prefetch([record.path for record in records])
    return {
        name: feature_store(folder, name, network.stream(name), spec, plan, cache, recipe.cache.form)
        for name in spec.streams
    }


def fill_stores(
    stores: Mapping[str, FeatureStore],
    recipe: Recipe,
    network: Network,
    records: Sequence[VideoRecord],
    plan: ViewPlan,
) -> dict[str, str]:
    """Compute what these stores lack, and return video id → message of what cannot be read, or is refused."""
    spec = input_spec(recipe)
    failed = extract_features(stores, network, records, spec, plan, workers=recipe.data.workers)
    return failed | refuse_kept_silence(stores, recipe, records, failed)


def refuse_kept_silence(
    stores: Mapping[str, FeatureStore],
    recipe: Recipe,
    records: Sequence[VideoRecord],
    failed: Mapping[str, str],
) -> dict[str, str]:
    """Video id → why its kept features are refused: they were made when silence could stand for sound."""
    spec = input_spec(recipe)
    if spec.audio.missing != "refuse":
        return {}
    refused = {}
    for record in records:
        if record.id in failed:
            continue
        try:
            for name in spec.hearing:
                refuse_missing(str(record.path), stores[name].read(record)[1])
        except VideoError as error:
            refused[record.id] = str(error)
    return refused


@cache
def _tell_of_older_stores(folder: Path) -> None:
    """Say once which stores of a cache folder are an older attcell's: they are not read."""
    older = [path.parent.name for path in sorted(folder.glob("*/made_by.json")) if _is_older(path)]
    if older:
        logger.warning(
            f"{folder} holds feature maps of an older attcell ({', '.join(older)}), which are not "
            "read; what is needed is computed again. Delete these folders"
        )


def _is_older(description: Path) -> bool:
    try:
        return bool(read_json(description).get("format") != FEATURES_FORMAT)
    except (OSError, ValueError, AttributeError):  # no description: nothing is known of it
        return False


def refuse_unopened(records: Sequence[VideoRecord]) -> None:
    """Raise a DataError that names the videos which cannot even be opened, before long work is done.

    What could be opened is remembered while its file stays the same.
    """
    found = cached_answers([_opening(record) for record in records], "opening videos")
    refuse_unread([str(answer) for answer in found if isinstance(answer, AttcellError)])


def _opening(record: VideoRecord) -> Check:
    """The look whether a video can be opened, by its header and first packet; its name counts too."""

    def find() -> str:
        with the_videos_own(record.path):
            check_opens(record.path, frames=record.frames)
        return "yes"

    return Check(f"opens {OPENING_VERSION} {record.path.absolute()} {record.frames}", (record.path,), find)


def refuse_unread(unread: Sequence[str]) -> None:
    """Raise a DataError with the messages on videos that cannot be read, if there are any."""
    if unread:
        raise DataError(
            "\n".join(
                [
                    f"{len(unread)} videos cannot be read; `attcell data check` names them all. "
                    "Mend them or take them out of the source:",
                    *first_lines(unread),
                ]
            )
        )
