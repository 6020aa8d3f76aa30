"""The flow around the frame indices of a video, as codes: computed from its frames, or read from a store."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from attcell._paths import is_folder
from attcell.choices import QuadraticMean
from attcell.errors import DataError, VideoError
from attcell.flow import dequantize, quantize
from attcell.types import Size
from attcell.video.flow_files import FLOW_FORMAT, FlowFiles, holds_flow, open_flow
from attcell.video.frame_folder import open_frames
from attcell.video.optical_flow import PAIRS_AT_ONCE, FlowSpec, flow_codes, flow_method
from attcell.video.transforms import resized_pictures

NO_MOTION = 128


@dataclass(frozen=True)
class FlowInput:
    """What the flow stream gets of a segment, and where flow comes from.

    Attributes:
        spec: how flow is computed, or was computed where it is on disk.
        fields: consecutive fields, F.
        form: ``stack``, or ``picture``: one field in three channels.
        quadratic_mean: of a picture's third channel, as :func:`attcell.flow.flow_picture` has it.
        store: a folder that ``attcell extract flow`` or another tool filled; if None, flow is computed from
            the resized frames.
        deviation: a network sees (code - 128) / deviation of a stack.
    """

    spec: FlowSpec = field(default_factory=FlowSpec)
    fields: int = 10
    form: str = "stack"
    store: Path | None = None
    deviation: float = 10.0
    quadratic_mean: QuadraticMean = "motion"


class FlowSource(Protocol):
    """Where the flow of one video comes from."""

    def codes(self, pairs: np.ndarray, rows: np.ndarray, pictures: Tensor) -> Tensor:
        """Codes (P, 2, H, W) uint8 between pairs of frames.

        Args:
            pairs: (P, 2) indices of frames in the video; a pair of twice the same frame has no motion.
            rows: (P, 2) the same as rows of ``pictures``.
            pictures: (N, 3, H, W) uint8, the resized frames.

        Raises:
            VideoError: flow on disk that does not belong to the video.
        """


@dataclass(frozen=True)
class ComputedFlow:
    """Flow computed from the resized frames, or from smaller ones, measured in pixels of the size it gets."""

    spec: FlowSpec
    device: str = "cpu"

    def codes(self, pairs: np.ndarray, rows: np.ndarray, pictures: Tensor) -> Tensor:
        method = flow_method(self.spec.method, self.device, self.spec.camera)
        found = _no_motion(len(pairs), pictures)
        moving = pairs[:, 0] != pairs[:, 1]
        seen = self._scaled_down(pictures)
        # Flow of smaller pictures is smaller, and gets as many codes.
        bound = self.spec.bound * seen.shape[-1] / pictures.shape[-1]
        codes = flow_codes(seen, rows[moving], method, bound, PAIRS_AT_ONCE[self.device])
        found[torch.from_numpy(moving)] = _at_size(codes, found.shape[-2:], bound, self.spec.bound)
        return found

    def _scaled_down(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        size = self.spec.size(Size(width, height))
        return pictures if size == (width, height) else resized_pictures(pictures, size)


@dataclass(frozen=True)
class StoredFlow:
    """Flow read from disk, measured in pixels of the size that it gets here.

    Attributes:
        files: the flow on disk.
        bound: of its codes.
        first: the field on disk that goes out from the video's first frame.
    """

    files: FlowFiles
    bound: float
    first: int = 0

    def codes(self, pairs: np.ndarray, rows: np.ndarray, pictures: Tensor) -> Tensor:
        moving = pairs[:, 0] != pairs[:, 1]
        fields = pairs[moving, 0] + self.first
        last = int(fields.max(initial=-1))
        if last >= self.files.num_fields:
            raise VideoError(
                f"{self.files.path} has {self.files.num_fields} flow fields, and the video needs field "
                f"{last}, counted from 0; it is the flow of another video, or was cut off. Compute it again"
            )
        found = _no_motion(len(pairs), pictures)
        try:
            stored = self.files.read(fields.tolist())
        except DataError as error:
            raise VideoError(str(error)) from error
        if len(stored):
            found[torch.from_numpy(moving)] = _at_size(stored, found.shape[-2:], self.bound, self.bound)
        return found


class NoFlow(DataError):
    """A store holds no flow of a video."""


def flow_place_of(store: Path, video: Path, names: Collection[str] | None = None) -> Path:
    """Where a video's flow lies in a store: the folder or the ZIP file of the video's own place and name.

    ``videos/train/wave/a.mp4`` is looked for as ``STORE/videos/train/wave/a``, then without its first
    folders, so that a store may hold one split or all of them. A folder of frames keeps its whole name, and
    may have its flow beside the frames.

    ``names`` are those that lie in the store, where they have been listed for many videos.

    Raises:
        NoFlow: it is not there.
        DataError: it is there twice.
    """
    whole = video.absolute()
    parts = (whole if is_folder(video) else whole.with_suffix("")).parts[1:]
    for first in range(len(parts)):
        is_there = (store / parts[first]).exists() if names is None else parts[first] in names
        if first < len(parts) - 1 and not is_there:
            continue
        folder = store.joinpath(*parts[first:])
        places = [place for place in (folder, folder.with_name(f"{folder.name}.zip")) if place.exists()]
        if is_folder(video) and folder in places and folder.samefile(video) and not holds_flow(folder):
            places.remove(folder)  # the frames alone
        if len(places) == 2:
            raise DataError(f"{places[0]} and {places[1]} are both flow of {video}; remove one of them")
        if places:
            return places[0]
    raise NoFlow(
        f"{store} holds no flow of {video}: neither a folder {parts[-1]} nor {parts[-1]}.zip in the place "
        "that the video has; compute it with: attcell extract flow"
    )


def flow_files_of(store: Path, video: Path) -> FlowFiles:
    """A video's flow in a store, where :func:`flow_place_of` finds it.

    Raises:
        DataError: it is not there, or is not complete.
        VideoError: a folder of frames that cannot be read.
    """
    files = open_flow(flow_place_of(store, video))
    if is_folder(video):
        _refuse_other_count(files, video)
    return files


def check_store(flow: FlowInput, video: Path, digest: Callable[[], str]) -> FlowFiles:
    """A video's flow in a store; refused if it is not there, by another recipe, or of another file.

    Flow beside the frames of a folder was made from what these were made from, so that says nothing.

    Args:
        flow: the store, and by what recipe its flow should be.
        video: whose flow.
        digest: gives a digest of the video's content, by :func:`attcell.data.feature_store.content_digest`;
            it is asked for where the flow says what it was made from.

    Raises:
        DataError: which, and in what it differs.
        VideoError: a folder of frames that cannot be read.
    """
    assert flow.store is not None, "there is a store"
    files = flow_files_of(flow.store, video)
    is_beside = is_folder(video) and files.path.samefile(video)
    if not is_beside and files.description is not None and files.description.get("source") != digest():
        raise DataError(f"{files.path} is the flow of another file than {video}; compute it again")
    _refuse_other_recipe(files, flow.spec)
    return files


def source_of(
    flow: FlowInput,
    video: Path | None = None,
    frames: range | None = None,
    *,
    device: str = "cpu",
) -> FlowSource:
    """Where a video's flow comes from: the store, or its frames where there is none or no video is named.

    ``frames`` are the part of a folder of frames that is the video; the store has the flow of all.

    Raises:
        VideoError: the store lacks it, or has it by another recipe.
    """
    if flow.store is None or video is None:
        return ComputedFlow(flow.spec, device)
    try:
        files = flow_files_of(flow.store, video)
        _refuse_other_recipe(files, flow.spec)
    except DataError as error:
        raise VideoError(str(error)) from error
    return StoredFlow(files, flow.spec.bound, 0 if frames is None else frames.start)


def _refuse_other_count(files: FlowFiles, folder: Path) -> None:
    """Where a folder's frames do not all decode, those that do have other numbers than the flow."""
    num_frames = len(open_frames(folder).names)
    if files.num_fields < num_frames - 1:
        raise DataError(
            f"{files.path} has {files.num_fields} flow fields, and {folder} has {num_frames} frames, which "
            f"need {num_frames - 1}; compute the flow again from whole frames"
        )


def _refuse_other_recipe(files: FlowFiles, spec: FlowSpec) -> None:
    made_by = files.description
    if made_by is None:  # another tool's, which does not say
        if spec.camera != "keep":
            raise DataError(
                f"{files.path} does not say whether the camera's motion was taken out of it; set flow.camera "
                "to keep, which takes it as it is, or compute it again with attcell extract flow"
            )
        return
    if made_by.get("format", FLOW_FORMAT) != FLOW_FORMAT:
        raise DataError(
            f"{files.path} is flow of another attcell (format {made_by['format']!r}, and this one reads "
            f"format {FLOW_FORMAT}); compute it again with attcell extract flow --rebuild"
        )
    made_by = {"camera": "keep", **made_by}  # older ones do not say
    wanted: dict[str, object] = {"method": spec.method, "bound": spec.bound, "camera": spec.camera}
    if spec.short_side is not None:
        wanted["short_side"] = spec.short_side
    differing = [
        f"{key} {made_by.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if made_by.get(key) != value
    ]
    if differing:
        raise DataError(
            f"{files.path} was made by another recipe: {', '.join(differing)}. Set flow.method, "
            "flow.bound, flow.short_side and flow.camera to what it was made by, or compute it again"
        )


def _no_motion(num_pairs: int, pictures: Tensor) -> Tensor:
    return torch.full((num_pairs, 2, *pictures.shape[-2:]), NO_MOTION, dtype=torch.uint8)


def _at_size(codes: Tensor, size: torch.Size, bound: float, new_bound: float) -> Tensor:
    """Codes at another size; the flow grows and shrinks with the picture that it is measured in."""
    height, width = codes.shape[-2:]
    if (height, width) == tuple(size):
        return codes
    flow = resized_pictures(dequantize(codes, bound), Size(size[1], size[0]))
    return quantize(flow * flow.new_tensor([size[1] / width, size[0] / height]).view(2, 1, 1), new_bound)
