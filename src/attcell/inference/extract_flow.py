"""Computing the optical flow of a data set: resumable, on all cores, a video whole or not at all.

A process decodes in one thread, and in the others computes flow and makes JPEGs, pieces of some frames each.
There are at least two such processes, so that one decodes while the other has come to the end of a video.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from attcell._log import progress_bar
from attcell._owners import held, swept
from attcell._parallel import in_order, one_thread
from attcell._spread import in_places, spread
from attcell._urls import is_url
from attcell._walls import alive, own_parts, the_videos_own
from attcell._workers import walled
from attcell.data.listing import Listing
from attcell.errors import VideoError
from attcell.flow import PRESETS, num_cores, quantize, tvl1
from attcell.inference.flow_jobs import (
    Job,
    Layout,
    is_computed,
    made_by,
    place_of,
    refuse_overwriting,
    refuse_twins,
)
from attcell.types import VideoRecord
from attcell.video._passes import EveryFrame, promised_frames
from attcell.video.flow_files import DESCRIPTION, jpeg, new_flow_folder, new_flow_zip
from attcell.video.info import VideoInfo
from attcell.video.optical_flow import PAIRS_AT_ONCE, FlowSpec, Method, check_method, flow_method, pieces

__all__ = ["FlowOutcome", "Layout", "extract_flow"]

_CORES = 8  # of a process; with more, its threads would wait for one another


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


Notes = tuple[str, ...]  # on a video's file
Advance = Callable[[float], None]  # by so many videos, or parts of one


def extract_flow(
    listing: Listing,
    out: Path,
    spec: FlowSpec,
    *,
    layout: Layout | None = None,
    shard: tuple[int, int] = (1, 1),
    workers: int | None = None,
    rebuild: bool = False,
) -> FlowOutcome:
    """Compute the flow of each video to ``out``; what is there by the same recipe is kept.

    Args:
        listing: the videos. Of a folder of frames the flow of all is computed, once for all its parts.
        out: the store; a video ``wave/alice.mp4`` becomes ``OUT/wave/alice``, a folder or a ZIP file.
        spec: how.
        layout: a folder or a ZIP file a video, with or without the frames; by default a folder, with them.
        shard: (i, n): only every n-th video, beginning with the i-th, for n runs on as many machines.
        workers: processes, which share the cores; by default one for each eight cores, at least two.
        rebuild: replace what was made by another recipe, or from another file, instead of refusing.

    Raises:
        CallError: two videos that would become one folder, flow that would replace a video, or a method that
            cannot be used here; or another process computes into the store, and not a shard of it.
        DataError: the store holds flow by another recipe.
    """
    check_method(spec.method, spec.camera)
    layout = layout or Layout()
    records = {record.id: record for record in map(VideoRecord.whole, listing.records)}
    jobs = [Job(record, place_of(out, record, layout.form), spec, layout) for record in records.values()]
    refuse_twins(jobs)
    refuse_overwriting(jobs)
    outcome, missing = FlowOutcome(), []
    for job in jobs[shard[0] - 1 :: shard[1]]:
        if is_computed(job, rebuild):
            outcome.num_kept += 1
        else:
            missing.append(job)
    is_held = missing and not is_url(out)  # servers have no locks
    folders = {job.place.parent for job in missing if is_held}
    with held(out, in_parts=shard[1] > 1) if is_held else nullcontext(), swept(folders):
        results = spread(partial(_in_turn, workers=workers), missing, _path_of, bar="flow", into=[out])
        for job, result in zip(missing, results, strict=True):
            if isinstance(result, VideoError):
                outcome.failed[job.record.id] = str(result)
                continue
            outcome.num_written += 1
            outcome.notes += [f"{job.record.id}: {note}" for note in result]
    return outcome


def _in_turn(jobs: Sequence[Job], workers: int | None) -> Iterator[Notes | VideoError]:
    """What became of the jobs, in their order; a bar says how far they are."""
    with progress_bar() as bar:
        advance = partial(bar.advance, bar.add_task("flow", total=len(jobs), note=""))
        yield from in_places(_computed(jobs, workers, advance))


def usual_workers() -> int:
    """Processes that share the cores, where nobody says how many."""
    return max(2, 0 if torch.cuda.is_available() else -(-num_cores() // _CORES))


def _computed(
    jobs: Sequence[Job], workers: int | None, advance: Advance
) -> Iterator[tuple[int, Notes | VideoError]]:
    """The jobs' numbers and what became of them, in the order in which they end."""
    if not jobs:
        return
    cores, on_gpu = num_cores(), torch.cuda.is_available()
    workers = min(workers or usual_workers(), len(jobs))
    if workers > 1 and not on_gpu and jobs[0].spec.method in PRESETS:
        still = np.zeros((1, 1, 1), np.uint8)
        tvl1(still, still)  # compiles the kernels where need be, once and not in each process
    produce = partial(_done, threads=max(1, cores // workers))
    left, notes = dict.fromkeys(range(len(jobs)), 1.0), dict[int, Notes]()
    with closing(walled(produce, jobs, _path_of, workers=workers, on_gpu=on_gpu)) as events:
        for place, kind, part, error in events:
            if isinstance(part, float):
                advance(share := min(left[place], part))
                left[place] -= share
            elif part is not None:
                notes[place] = part
            elif kind == "begins":
                advance(left[place] - 1.0)  # what a process did that has ended is void
                left[place] = 1.0
            else:
                advance(left.pop(place))
                yield place, notes[place] if error is None else error


def _path_of(job: Job) -> Path:
    return job.record.path


def _done(job: Job, threads: int) -> Iterator[float | Notes]:
    """A job to disk, on so many threads beside this one, which decodes and writes.

    Returns:
        About which part of the video is done, again and again; at its end the notes on it. The place appears
        only when it is complete.
    """
    device, path = "cuda" if torch.cuda.is_available() else "cpu", job.record.path
    compute = partial(_files_of, job=job, method=flow_method(job.spec.method, device, job.spec.camera))
    opened: Callable = new_flow_folder if job.layout.form == "folder" else new_flow_zip
    with one_thread(), opened(job.place) as target:
        for part in in_order(compute, own_parts(path, _steps(job, PAIRS_AT_ONCE[device])), threads):
            if isinstance(part, VideoInfo):
                info = part
                target.write(DESCRIPTION, _description(job, info))
                continue
            for name, content in part.contents:
                target.write(name, content)
            yield part.share
    yield info.notes


@dataclass(frozen=True)
class _Piece:
    """Some frames of a video, the number of the first, counted from 1, and about which part they are."""

    first: int
    frames: list[np.ndarray]
    share: float


@dataclass(frozen=True)
class _Files:
    """A piece's files, names and contents, and about which part of the video they are."""

    contents: list[tuple[str, bytes]]
    share: float


def _steps(job: Job, most_pairs: int) -> Iterator[_Piece | VideoInfo]:
    """The video, decoded piece by piece, and what it held."""
    frames, first = EveryFrame(job.record.path, job.spec.size), 1
    promised = max(1, promised_frames(job.record.path) - 1)
    for piece in pieces(frames, most_pairs):
        yield _Piece(first, piece, (len(piece) - 1) / promised)
        first += len(piece) - 1
    yield frames.info


def _files_of(given: _Piece | VideoInfo, job: Job, method: Method) -> _Files | VideoInfo:
    """The pictures of a piece as JPEGs. The last frame of a piece is the next one's first."""
    if not isinstance(given, _Piece):
        return given
    alive()
    with the_videos_own(job.record.path):
        seen = method.prepare(torch.from_numpy(np.stack(given.frames)).permute(0, 3, 1, 2))
        files = []
        if job.layout.frames:
            shown = given.frames if given.first == 1 else given.frames[1:]
            begin = given.first + len(given.frames) - len(shown)
            files += [(f"img_{number:05d}.jpg", jpeg(frame)) for number, frame in enumerate(shown, begin)]
        if len(seen) > 1:
            codes = quantize(method.between(seen[:-1], seen[1:]), job.spec.bound).numpy()
            for number, field_codes in enumerate(codes, given.first):
                for axis, picture in zip("xy", field_codes, strict=True):
                    files.append((f"flow_{axis}_{number:05d}.jpg", jpeg(picture)))
    return _Files(files, given.share)


def _description(job: Job, info: VideoInfo) -> bytes:
    if info.num_frames < 2:
        raise VideoError(f"{job.record.path}: the video has 1 frame; flow needs at least 2. Leave it out.")
    seconds = info.frame_seconds
    content = {
        **made_by(job),
        "video": job.record.id,
        "num_frames": info.num_frames,
        "num_fields": info.num_frames - 1,
        "frames_a_second": (len(seconds) - 1) / float(seconds[-1] - seconds[0]),
        "frame_seconds": seconds.tolist(),
        "notes": info.notes,
    }
    return (json.dumps(content, indent=1) + "\n").encode()
