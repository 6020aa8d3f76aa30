"""Computing the optical flow of a data set: resumable, on all cores, a video whole or not at all.

A process decodes in one thread, and in the others computes flow and writes JPEGs, pieces of some frames each;
the next video is decoded while this one's flow is computed. On many cores there are several such processes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from attcell._log import progress_bar
from attcell._parallel import in_order, one_thread, process_pool
from attcell.data.listing import Listing
from attcell.errors import VideoError
from attcell.flow import PRESETS, num_cores, quantize, tvl1
from attcell.inference.flow_jobs import (
    Job,
    Layout,
    is_there,
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
        workers: processes, which share the cores; by default one for each eight cores, or one on a GPU.
        rebuild: replace what was made by another recipe, or from another file, instead of refusing.

    Raises:
        CallError: two videos that would become one folder, flow that would replace a video, or a method that
            cannot be used here.
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
        if is_there(job, rebuild):
            outcome.num_kept += 1
        else:
            missing.append(job)
    with progress_bar() as bar:
        advance = partial(bar.advance, bar.add_task("flow", total=len(missing), note=""))
        for job, result in _computed(missing, workers, advance):
            if isinstance(result, VideoError):
                outcome.failed[job.record.id] = str(result)
                continue
            outcome.num_written += 1
            outcome.notes += [f"{job.record.id}: {note}" for note in result]
    return outcome


def _computed(
    jobs: Sequence[Job], workers: int | None, advance: Advance
) -> Iterator[tuple[Job, Notes | VideoError]]:
    """The jobs done, in some order."""
    cores = num_cores()
    workers = min(workers or (1 if torch.cuda.is_available() else -(-cores // _CORES)), len(jobs))
    threads = max(1, cores // max(1, workers))
    if workers <= 1:
        yield from _one_after_another(jobs, threads, advance)
        return
    if jobs[0].spec.method in PRESETS:
        still = np.zeros((1, 1, 1), np.uint8)
        tvl1(still, still)  # compiles the kernels where need be, once and not in each process
    with process_pool(workers, threads=1) as pool:
        futures: dict[Future[Notes | VideoError], Job] = {
            pool.submit(_alone, job, threads): job for job in jobs
        }
        for future in as_completed(futures):
            yield futures[future], future.result()
            advance(1)


def _alone(job: Job, threads: int) -> Notes | VideoError:
    ((_, result),) = _one_after_another([job], threads, lambda _: None)
    return result


def _one_after_another(
    jobs: Sequence[Job], threads: int, advance: Advance
) -> Iterator[tuple[Job, Notes | VideoError]]:
    """Each job to disk, on so many threads beside this one, which decodes and writes."""
    if not jobs:
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spec = jobs[0].spec
    compute = partial(_files_of, method=flow_method(spec.method, device, spec.camera))
    with one_thread():
        done = in_order(compute, _steps(jobs, PAIRS_AT_ONCE[device]), threads)
        for job, steps in itertools.groupby(done, lambda step: step[0]):
            result: Notes | VideoError
            try:
                with closing(_counted((part for _, part in steps), advance)) as parts:
                    result = _write(job, parts)
            except VideoError as error:
                result = error
            yield job, result


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


Step = _Piece | VideoInfo | VideoError  # a piece of a video, what it held at its end, or why it ends
Part = _Files | VideoInfo | VideoError  # the same, computed


def _steps(jobs: Sequence[Job], most_pairs: int) -> Iterator[tuple[Job, Step]]:
    """The videos, decoded piece by piece."""
    for job in jobs:
        frames, first = EveryFrame(job.record.path, job.spec.size), 1
        try:
            promised = max(1, promised_frames(job.record.path) - 1)
            for piece in pieces(frames, most_pairs):
                yield job, _Piece(first, piece, (len(piece) - 1) / promised)
                first += len(piece) - 1
            yield job, frames.info
        except VideoError as error:
            yield job, error


def _files_of(step: tuple[Job, Step], method: Method) -> tuple[Job, Part]:
    """The pictures of a piece as JPEGs. The last frame of a piece is the next one's first."""
    job, given = step
    if not isinstance(given, _Piece):
        return job, given
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
    return job, _Files(files, given.share)


def _counted(parts: Iterable[Part], advance: Advance) -> Generator[Part, None, None]:
    """The parts of a video, which together, or when it ends early, advance by 1."""
    left = 1.0
    try:
        for part in parts:
            yield part
            share = min(left, part.share) if isinstance(part, _Files) else 0.0
            advance(share)
            left -= share
    finally:
        advance(left)


def _write(job: Job, parts: Iterable[Part]) -> Notes:
    """A video's files to its place, which appears only when it is complete; the notes on the video."""
    opened: Callable = new_flow_folder if job.layout.form == "folder" else new_flow_zip
    with opened(job.place) as target:
        for part in parts:
            if isinstance(part, VideoError):
                raise part
            if isinstance(part, VideoInfo):
                info = part
                target.write(DESCRIPTION, _description(job, info))
            else:
                for name, content in part.contents:
                    target.write(name, content)
    return info.notes


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
