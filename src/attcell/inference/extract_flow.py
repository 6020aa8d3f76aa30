"""Computing the optical flow of a data set: resumable, in several processes, a video whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._log import track
from attcell._parallel import one_thread, process_pool
from attcell.data.feature_store import content_digest
from attcell.data.listing import Listing
from attcell.errors import CallError, DataError, VideoError
from attcell.flow import quantize
from attcell.inference.extract import DECODING_VERSION
from attcell.types import FlowStorage, VideoRecord
from attcell.video._passes import EveryFrame
from attcell.video.flow_files import (
    DESCRIPTION,
    FLOW_FORMAT,
    Target,
    new_flow_folder,
    new_flow_zip,
    open_flow,
    read_description,
    write_picture,
)
from attcell.video.optical_flow import (
    PAIRS_AT_ONCE,
    FlowSpec,
    check_method,
    flow_fields,
    flow_method,
)

__all__ = ["FlowOutcome", "Layout", "extract_flow"]


@dataclass(frozen=True)
class Layout:
    """How one video's flow lies in a store.

    Attributes:
        form: one folder or one ZIP file a video.
        frames: keep the frames too.
    """

    form: FlowStorage = "folder"
    frames: bool = True


@dataclass
class FlowOutcome:
    """What became of the videos of one run.

    Attributes:
        num_written: computed now.
        num_kept: there already.
        failed: video id -> message.
        notes: what the reader should know of the files, each with its video.
    """

    num_written: int = 0
    num_kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extract_flow(
    listing: Listing,
    out: Path,
    spec: FlowSpec,
    *,
    layout: Layout = Layout(),
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    rebuild: bool = False,
) -> FlowOutcome:
    """Compute the flow of each video to ``out``; what is there by the same recipe is kept.

    Args:
        listing: the videos. Of a folder of frames the flow of all is computed, once for all its parts.
        out: the store; a video ``wave/alice.mp4`` becomes ``OUT/wave/alice``, a folder or a ZIP file.
        spec: how.
        layout: a folder or a ZIP file a video, with or without the frames.
        shard: (i, n): only every n-th video, beginning with the i-th, for n runs on as many machines.
        workers: processes, each with one thread. On a GPU one is enough.
        rebuild: replace what was made by another recipe, or from another file, instead of refusing.

    Raises:
        CallError: two videos that would become one folder, flow that would replace a video, or a method that
            cannot be used here.
        DataError: the store holds flow by another recipe.
    """
    check_method(spec.method)
    records = {record.id: record for record in map(VideoRecord.whole, listing.records)}
    jobs = [Job(record, place_of(out, record, layout.form), spec, layout) for record in records.values()]
    refuse_twins(jobs)
    refuse_overwriting(jobs)
    outcome, missing = FlowOutcome(), []
    for job in jobs[shard[0] - 1 :: shard[1]]:
        if is_there(job, rebuild):
            outcome.num_kept += 1
        else:
            missing.append(job)
    for job, result in track(_run(missing, min(workers, len(missing))), len(missing), "flow"):
        if isinstance(result, VideoError):
            outcome.failed[job.record.id] = str(result)
            continue
        outcome.num_written += 1
        outcome.notes += [f"{job.record.id}: {note}" for note in result]
    return outcome


def _run(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, tuple[str, ...] | VideoError]]:
    if workers <= 1:
        with one_thread():
            for job in jobs:
                yield job, _compute(job)
        return
    with process_pool(workers, threads=1) as pool:
        futures: dict[Future[tuple[str, ...] | VideoError], Job] = {
            pool.submit(_compute, job): job for job in jobs
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


def _compute(job: Job) -> tuple[str, ...] | VideoError:
    """One video's flow to disk; the notes on its file, or why it cannot be read."""
    try:
        opened = new_flow_folder if job.layout.form == "folder" else new_flow_zip
        with opened(job.place) as target:
            return _write(job, target)
    except VideoError as error:
        return error


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _write(job: Job, target: Target) -> tuple[str, ...]:
    device = _device()
    frames = EveryFrame(job.record.path, job.spec.size)
    method = flow_method(job.spec.method, device)
    shown = _kept(frames, target) if job.layout.frames else frames
    num_fields = 0
    for number, flow in enumerate(flow_fields(shown, method, PAIRS_AT_ONCE[device]), start=1):
        for axis, codes in zip("xy", quantize(flow, job.spec.bound).numpy(), strict=True):
            write_picture(target, f"flow_{axis}", number, codes)
        num_fields = number
    info = frames.info
    if num_fields == 0:
        raise VideoError(f"{job.record.path}: the video has 1 frame; flow needs at least 2. Leave it out.")
    seconds = info.frame_seconds
    description = {
        **made_by(job),
        "video": job.record.id,
        "num_frames": info.num_frames,
        "num_fields": num_fields,
        "frames_a_second": (len(seconds) - 1) / float(seconds[-1] - seconds[0]),
        "frame_seconds": seconds.tolist(),
        "notes": info.notes,
    }
    target.write(DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())
    return info.notes


def _kept(frames: Iterable[np.ndarray], target: Target) -> Iterator[np.ndarray]:
    for number, frame in enumerate(frames, start=1):
        write_picture(target, "img", number, frame)
        yield frame


# Where each video's flow goes, by what it is made, and whether it is there already.


@dataclass(frozen=True)
class Job:
    """One video to compute, whole where it is a folder of frames."""

    record: VideoRecord
    place: Path
    spec: FlowSpec
    layout: Layout


def place_of(out: Path, record: VideoRecord, form: str) -> Path:
    """Where in a store a video's flow goes: a folder, or a ZIP file."""
    name = Path(record.id) if record.path.is_dir() else Path(record.id).with_suffix("")
    inside = [part for part in name.parts if part not in ("/", "..")]
    place = out.joinpath(*inside)  # a list may name videos by paths from the root or from a folder above
    return place if form == "folder" else place.with_name(f"{place.name}.zip")


def refuse_twins(jobs: Sequence[Job]) -> None:
    """Raise a CallError if two videos would become one folder."""
    owners: dict[Path, str] = {}
    for job in jobs:
        other = owners.setdefault(job.place, job.record.id)
        if other != job.record.id:
            raise CallError(f"{other} and {job.record.id} would both become {job.place}; rename one of them")


def refuse_overwriting(jobs: Sequence[Job]) -> None:
    """Raise a CallError if a folder of flow, which replaces what is there, would replace a video."""
    taken: set[Path] = set()
    for job in jobs:
        path = job.record.path.resolve()
        taken.update((path, *path.parents))
    for job in jobs:
        if job.place.resolve() in taken:
            raise CallError(
                f"the flow of {job.record.id} would replace {job.place}, which holds videos; name another "
                "folder for the flow"
            )


def is_there(job: Job, rebuild: bool) -> bool:
    """Whether a video's flow is complete, by this recipe and from this file.

    Raises:
        DataError: it was made otherwise or is not complete, and is not to be rebuilt.
    """
    if not job.place.exists():
        return False
    try:
        found = read_description(job.place)
    except DataError:
        if rebuild:
            return False
        raise
    wanted = made_by(job)
    if found is not None and all(found.get(key) == value for key, value in wanted.items()):
        return _is_whole(job, rebuild)
    if rebuild:
        return False
    differing = (
        f"no {DESCRIPTION} in it"
        if found is None
        else ", ".join(
            f"{key} {found.get(key)!r} instead of {value!r}"
            for key, value in wanted.items()
            if found.get(key) != value
        )
    )
    raise DataError(
        f"{job.place} was made otherwise ({differing}); choose another folder, or --rebuild to replace it"
    )


def _is_whole(job: Job, rebuild: bool) -> bool:
    """Whether no file of a finished video's flow was lost since; what was is refused, or computed again."""
    try:
        open_flow(job.place)
        empty = [path.name for path in job.place.glob("*") if path.stat().st_size == 0]
        if empty:
            raise DataError(f"{job.place}: {min(empty)} is empty; compute it again")
    except DataError as error:
        if rebuild:
            return False
        raise DataError(f"{error}, with --rebuild") from error
    return True


def made_by(job: Job) -> dict[str, Any]:
    """The recipe, and a name for the video's content."""
    try:
        source = content_digest(job.record.path) if job.record.path.exists() else None
    except VideoError:  # a folder of frames that cannot be read: it is named when it is decoded
        source = None
    return {
        "format": FLOW_FORMAT,
        "decoding": DECODING_VERSION,
        **job.spec.described(),
        "frames": job.layout.frames,
        "source": source,
    }
