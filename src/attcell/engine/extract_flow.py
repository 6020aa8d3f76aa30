"""Computing the optical flow of a data set: resumable, in several processes, a video whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from attcell.data.sources import Listing
from attcell.engine.flow_jobs import (
    FlowRecipe,
    Job,
    is_there,
    made_by,
    place_of,
    refuse_overwriting,
    refuse_twins,
)
from attcell.engine.side_by_side import one_thread, process_pool
from attcell.errors import VideoError
from attcell.flow import quantize
from attcell.progress import track
from attcell.records import VideoRecord
from attcell.video.flow_files import (
    DESCRIPTION,
    Target,
    new_flow_folder,
    new_flow_zip,
    write_picture,
)
from attcell.video.motion import PAIRS_AT_ONCE, flow_fields, flow_method, worth_compiling
from attcell.video.passes import EveryFrame

__all__ = ["FlowOutcome", "FlowRecipe", "extract_flow"]


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
    recipe: FlowRecipe,
    *,
    form: Literal["folder", "zip"] = "folder",
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    rebuild: bool = False,
    compiled: bool | None = None,
) -> FlowOutcome:
    """Compute the flow of each video to ``out``; what is there by the same recipe is kept.

    Args:
        listing: the videos. Of a folder of frames the flow of all is computed, once for all its parts.
        out: the store; a video ``wave/alice.mp4`` becomes ``OUT/wave/alice``, a folder or a ZIP file.
        recipe: how.
        form: one folder or one ZIP file a video.
        shard: (i, n): only every n-th video, beginning with the i-th, for n runs on as many machines.
        workers: processes, each with one thread. On a GPU one is enough.
        rebuild: replace what was made by another recipe, or from another file, instead of refusing.
        compiled: compile the inner loop; by default where there is a compiler and enough work.

    Raises:
        CallError: two videos that would become one folder, or flow that would replace a video.
        DataError: the store holds flow by another recipe.
    """
    records = {record.id: record for record in map(VideoRecord.whole, listing.records)}
    jobs = [Job(record, place_of(out, record, form), recipe, form) for record in records.values()]
    refuse_twins(jobs)
    refuse_overwriting(jobs)
    outcome, missing = FlowOutcome(), []
    for job in jobs[shard[0] - 1 :: shard[1]]:
        if is_there(job, rebuild):
            outcome.num_kept += 1
        else:
            missing.append(job)
    if compiled is None:
        compiled = worth_compiling(len(missing), _device())
    for job, result in track(_run(missing, min(workers, len(missing)), compiled), len(missing), "flow"):
        if isinstance(result, VideoError):
            outcome.failed[job.record.id] = str(result)
            continue
        outcome.num_written += 1
        outcome.notes += [f"{job.record.id}: {note}" for note in result]
    return outcome


def _run(
    jobs: Sequence[Job], workers: int, compiled: bool
) -> Iterator[tuple[Job, tuple[str, ...] | VideoError]]:
    if workers <= 1:
        with one_thread():
            for job in jobs:
                yield job, _compute(job, compiled)
        return
    with process_pool(workers, threads=1) as pool:
        futures: dict[Future[tuple[str, ...] | VideoError], Job] = {
            pool.submit(_compute, job, compiled): job for job in jobs
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


def _compute(job: Job, compiled: bool) -> tuple[str, ...] | VideoError:
    """One video's flow to disk; the notes on its file, or why it cannot be read."""
    try:
        opened = new_flow_folder if job.form == "folder" else new_flow_zip
        with opened(job.place) as target:
            return _write(job, target, compiled)
    except VideoError as error:
        return error


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _write(job: Job, target: Target, compiled: bool) -> tuple[str, ...]:
    device = _device()
    frames = EveryFrame(job.record.path, job.recipe.size)
    method = flow_method(job.recipe.method, device, compiled=compiled)
    shown = _kept(frames, target) if job.recipe.frames else frames
    num_fields = 0
    for number, flow in enumerate(flow_fields(shown, method, PAIRS_AT_ONCE[device]), start=1):
        for axis, codes in zip("xy", quantize(flow, job.recipe.bound).numpy(), strict=True):
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
