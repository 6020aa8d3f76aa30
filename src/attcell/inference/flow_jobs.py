"""Where each video's flow goes in a store, by what it is made, and whether it is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell._paths import is_folder, is_there, real_path
from attcell._urls import path_or_url
from attcell.choices import FlowStorage
from attcell.data.feature_store import content_digest
from attcell.errors import CallError, DataError, VideoError
from attcell.inference.extract import DECODING_VERSION
from attcell.types import VideoRecord
from attcell.video.flow_files import DESCRIPTION, FLOW_FORMAT, open_flow, read_description
from attcell.video.optical_flow import FlowSpec


@dataclass(frozen=True)
class Layout:
    """How one video's flow lies in a store.

    Attributes:
        form: one folder or one ZIP file a video.
        frames: keep the frames too.
    """

    form: FlowStorage = "folder"
    frames: bool = True


@dataclass(frozen=True)
class Job:
    """One video to compute, whole where it is a folder of frames."""

    record: VideoRecord
    place: Path
    spec: FlowSpec
    layout: Layout


def place_of(out: Path, record: VideoRecord, form: str) -> Path:
    """Where in a store a video's flow goes: a folder, or a ZIP file."""
    named = path_or_url(record.id)
    name = named if is_folder(record.path) else named.with_suffix("")
    inside = [part for part in name.parts if part not in ("/", "..") and "://" not in part]
    found = out.joinpath(*inside)  # a list may name videos by paths from the root or from a folder above
    return found if form == "folder" else found.with_name(f"{found.name}.zip")


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
        path = real_path(job.record.path)
        taken.update((path, *path.parents))
    for job in jobs:
        if job.place.resolve() in taken:
            raise CallError(
                f"the flow of {job.record.id} would replace {job.place}, which holds videos; name another "
                "folder for the flow"
            )


def refuse_inside(source: Path, out: Path, layout: Layout) -> None:
    """Raise a CallError if the frames of a store would lie in the folder of its videos, for a folder of
    frames is a video there: each video would count twice from then on.
    """
    if layout.form != "folder" or not layout.frames:
        return
    if real_path(out).is_relative_to(real_path(source)):
        raise CallError(
            f"{out} lies in {source}, where the frames beside the flow would be videos too, and each video "
            "would count twice; name a folder outside, or --form zip, or --no-frames"
        )


def refuse_folders(out: Path, form: FlowStorage) -> None:
    """Raise a CallError for a store on a server that cannot be: what appears there whole is a file."""
    if str(out).startswith("http"):
        raise CallError(f"{out}: nothing is written by http; name a local folder, or s3://, gs:// or hf://")
    if form != "zip":
        raise CallError(
            f"{out} is on a server, where a folder would be there before it is complete; give --form zip"
        )


def is_computed(job: Job, rebuild: bool) -> bool:
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
    if found is not None:
        found = {"camera": "keep", **found}  # older ones do not say
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
        source = content_digest(job.record.path) if is_there(job.record.path) else None
    except VideoError:  # a folder of frames that cannot be read: it is named when it is decoded
        source = None
    return {
        "format": FLOW_FORMAT,
        "decoding": DECODING_VERSION,
        **job.spec.described(),
        "frames": job.layout.frames,
        "source": source,
    }
