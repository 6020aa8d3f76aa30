"""From frames to optical flow: pictures, a method, constant memory."""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from attcell._parallel import in_order
from attcell._urls import path_or_url
from attcell._walls import alive
from attcell.choices import CameraMotion, FlowMethod
from attcell.errors import CallError, ModelError, VideoError, installing
from attcell.flow import PRESETS, grey, quantize, tvl1
from attcell.types import Size
from attcell.video._passes import EveryFrame

METHODS: tuple[FlowMethod, ...] = get_args(FlowMethod)
PAIRS_AT_ONCE = {"cpu": 16, "cuda": 128}
_BYTES_AT_ONCE = 2**25  # of frames
_DIS_LEAST = 16  # pixels a side; of smaller pictures it refuses some, and others end the process
_RAFT_LEAST = 128  # pixels a side, and sides are multiples of 8


@dataclass(frozen=True)
class FlowSpec:
    """How flow is computed and coded.

    Attributes:
        method: one of ``METHODS``.
        bound: flow of this many pixels or more has the code 0 or 255.
        short_side: flow is computed from frames scaled down to this, never up; None leaves them as they are.
        camera: what becomes of the camera's motion, as :func:`without_camera` has it.

    Raises:
        CallError: an unknown method or way, or a number that cannot be.
    """

    method: str = "fast"
    bound: float = 20.0
    short_side: int | None = None
    camera: CameraMotion = "keep"

    def __post_init__(self) -> None:
        _refuse_unknown(self.method)
        if self.camera not in WAYS:
            raise CallError(f"camera is {self.camera!r}; allowed: {', '.join(WAYS)}")
        if not 0 < self.bound < float("inf"):
            raise CallError(f"bound is {self.bound}; allowed: a number of pixels above 0 (20 is usual)")
        if self.short_side is not None and self.short_side < 1:
            raise CallError(f"short side is {self.short_side}; allowed: at least 1 pixel")

    def size(self, shown: Size) -> Size:
        """The size at which the flow of frames of the size ``shown`` is computed."""
        scale = 1.0 if self.short_side is None else min(1.0, self.short_side / min(shown))
        return Size(max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))

    def described(self) -> dict[str, Any]:
        """In plain types, with the settings behind the method's name."""
        settings = asdict(PRESETS[self.method]) if self.method in PRESETS else {}
        return {**asdict(self), "settings": settings}


@dataclass(frozen=True)
class Method:
    """A way to compute flow.

    Attributes:
        prepare: RGB pictures (B, 3, H, W) uint8 to what ``between`` looks at; done once a frame.
        between: the prepared pictures of B frames, and those of the frames after them -> (B, 2, H, W)
            float32 on the CPU, in pixels; several threads may call it at once.
    """

    prepare: Callable[[Tensor], Tensor]
    between: Callable[[Tensor, Tensor], Tensor]


@functools.cache
def flow_method(name: str, device: str = "cpu", camera: CameraMotion = "keep") -> Method:
    """TV-L1 as in the papers, with a fast or a fine schedule, OpenCV's DIS, or torchvision's RAFT (small).

    Args:
        name: one of ``METHODS``.
        device: where TV-L1 and RAFT run. DIS runs on the CPU.
        camera: what becomes of the camera's motion, as :func:`without_camera` has it.

    Raises:
        CallError: an unknown method or way, or DIS or a homography without OpenCV.
        ModelError: RAFT's weights cannot be downloaded.
    """
    if camera != "keep":
        check_camera(camera)
        method = flow_method(name, device)
        return Method(
            method.prepare,
            lambda previous, following: without_camera(method.between(previous, following), camera),
        )
    check_method(name)
    if name == "dis":
        return Method(grey, _dis())
    if name == "raft":
        return Method(lambda pictures: pictures, _raft(device))

    def between(previous: Tensor, following: Tensor) -> Tensor:
        return tvl1(previous.to(device), following.to(device), PRESETS[name]).cpu()

    return Method(grey, between)


def check_method(name: str, camera: str = "keep") -> None:
    """Refuse a method or a way to take the camera's motion out that cannot be used here; nothing is
    downloaded.

    Raises:
        CallError: an unknown method or way, or DIS or a homography without OpenCV.
    """
    _refuse_unknown(name)
    check_camera(camera)
    if name == "dis" and importlib.util.find_spec("cv2") is None:
        raise CallError(f"DIS flow needs OpenCV; install it with: {installing('opencv')}")


def _refuse_unknown(name: str) -> None:
    if name not in METHODS:
        raise CallError(f"flow method is {name!r}; allowed: {', '.join(METHODS)}")


def video_flow(
    path: Path | str,
    spec: FlowSpec | None = None,
    *,
    device: str | torch.device = "cpu",
    frames: range | None = None,
) -> Iterator[Tensor]:
    """The flow of a whole video, field by field as they come, in constant memory.

    Some frames are decoded while the flow of those before them is computed, on all of PyTorch's threads.

    Args:
        path: a video file, or a folder of frames.
        spec: by which method, of frames of which size, with the camera's motion or without it; ``bound`` is
            of codes, and does nothing here.
        device: where TV-L1 and RAFT run.
        frames: which frames of a folder, counted from 0, are the video; all if None.

    Returns:
        One field (2, H, W) float32 fewer than there are frames: x and y in pixels of the size that it is
        computed at.

    Raises:
        CallError: an unknown method or device, DIS or a homography without OpenCV, or ``frames`` of a file.
        VideoError: on iteration, the file is missing, empty or not a video, or has one frame only.
    """
    spec = spec or FlowSpec()
    kind = _device_kind(device)
    method = flow_method(spec.method, str(device), spec.camera)
    every = EveryFrame(path_or_url(path), spec.size, frames)
    return _fields_of(every, method, PAIRS_AT_ONCE.get(kind, PAIRS_AT_ONCE["cpu"]))


def _device_kind(device: str | torch.device) -> str:
    try:
        return torch.device(device).type
    except RuntimeError as error:
        raise CallError(f"device is {device!r}; allowed: cpu, cuda, cuda:1, mps and the like") from error


def _fields_of(every: EveryFrame, method: Method, pairs_at_once: int) -> Iterator[Tensor]:
    is_moving = False
    for fields in in_order(partial(_between, method=method), pieces(every, pairs_at_once), 1):
        is_moving = is_moving or len(fields) > 0
        yield from fields
    if not is_moving:
        raise VideoError(f"{every.path}: the video has {every.info.num_frames} frame; flow needs at least 2")


def flow_fields(frames: Iterable[np.ndarray], method: Method, pairs_at_once: int = 16) -> Iterator[Tensor]:
    """The flow from each frame to the next: one field (2, H, W) fewer than there are frames.

    Args:
        frames: RGB (H, W, 3) uint8, all of one size.
        method: of :func:`flow_method`.
        pairs_at_once: how many pairs the method gets in one call at most.
    """
    for piece in pieces(frames, pairs_at_once):
        yield from _between(piece, method)


def _between(piece: Sequence[np.ndarray], method: Method) -> Tensor:
    seen = method.prepare(torch.from_numpy(np.stack(piece)).permute(0, 3, 1, 2))
    if len(seen) == 1:
        return torch.empty(0, 2, *seen.shape[-2:])
    return method.between(seen[:-1], seen[1:])


def pieces(frames: Iterable[np.ndarray], most_pairs: int) -> Iterator[list[np.ndarray]]:
    """Consecutive frames, (H, W, 3) uint8; the last of a piece is the first of the next.

    A piece has up to so many pairs, fewer of large frames, and one frame where the video has no more.
    """
    frames = iter(frames)
    piece = list(itertools.islice(frames, 1))
    if not piece:
        return
    pairs = max(1, min(most_pairs, _BYTES_AT_ONCE // piece[0].nbytes))
    piece += itertools.islice(frames, pairs)
    yield piece
    while more := list(itertools.islice(frames, pairs)):
        piece = [piece[-1], *more]
        yield piece


def flow_codes(
    pictures: Tensor, pairs: np.ndarray, method: Method, bound: float, pairs_at_once: int = 16
) -> Tensor:
    """Codes of the flow between pairs of pictures.

    Args:
        pictures: RGB (N, 3, H, W) uint8.
        pairs: (P, 2), which pictures.
        method: of :func:`flow_method`.
        bound: flow of this many pixels or more has the code 0 or 255.
        pairs_at_once: how many pairs the method gets in one call.

    Returns:
        (P, 2, H, W) uint8.
    """
    prepared = method.prepare(pictures)
    codes = [torch.empty(0, 2, *pictures.shape[-2:], dtype=torch.uint8)]
    for part in torch.from_numpy(pairs).split(pairs_at_once):
        alive()
        if len(part):  # splitting nothing gives one empty part
            codes.append(quantize(method.between(prepared[part[:, 0]], prepared[part[:, 1]]), bound))
    return torch.cat(codes)


def _dis() -> Callable[[Tensor, Tensor], Tensor]:
    import cv2

    def between(previous: Tensor, following: Tensor) -> Tensor:
        cv2.setNumThreads(torch.get_num_threads())  # else all cores, in each of many workers
        finder = cv2.DISOpticalFlow.create(
            cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
        )  # two threads must not share one
        height, width = previous.shape[-2:]
        more = [(0, max(0, _DIS_LEAST - side)) for side in (height, width)]
        fields = []
        for pair in zip(previous.numpy(), following.numpy(), strict=True):
            first, second = (np.pad(picture, more, mode="edge") for picture in pair)
            field = finder.calc(first, second, np.zeros((*first.shape, 2), np.float32))
            fields.append(field[:height, :width])
        return torch.from_numpy(np.stack(fields)).permute(0, 3, 1, 2)

    return between


def _raft(device: str) -> Callable[[Tensor, Tensor], Tensor]:
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    try:
        network = raft_small(weights=Raft_Small_Weights.DEFAULT).eval().to(device)
    except OSError as error:
        raise ModelError(
            f"the published weights of RAFT could not be downloaded ({error}); "
            "choose paper, fast, fine or dis as the flow method"
        ) from error

    @torch.no_grad()
    def between(previous: Tensor, following: Tensor) -> Tensor:
        height, width = previous.shape[-2:]
        grown = [max(_RAFT_LEAST, -(-side // 8) * 8) - side for side in (width, height)]

        def ready(pictures: Tensor) -> Tensor:
            padded = F.pad(pictures.to(device).float(), (0, grown[0], 0, grown[1]), mode="replicate")
            return padded / 127.5 - 1

        return network(ready(previous), ready(following))[-1][..., :height, :width].cpu()

    return between


# Taking the camera's motion out of fields, so that what moves by itself is left.

WAYS: tuple[CameraMotion, ...] = get_args(CameraMotion)
_POINTS = 24  # of the grid, along each side
_NEAR = 1 / 320  # of the longer side: a point that lies so close to where the homography puts it follows it


def check_camera(camera: str) -> None:
    """Refuse a way that is unknown or cannot be used here.

    Raises:
        CallError: an unknown way, or a homography without OpenCV.
    """
    if camera not in WAYS:
        raise CallError(f"camera is {camera!r}; allowed: {', '.join(WAYS)}")
    if camera == "homography" and importlib.util.find_spec("cv2") is None:
        raise CallError(
            f"a homography of flow needs OpenCV; install it with: {installing('opencv')}; or take median, "
            "which needs nothing"
        )


def without_camera(
    flow: Float[Tensor, "B 2 H W"], camera: CameraMotion = "median"
) -> Float[Tensor, "B 2 H W"]:
    """Flow less the motion of the camera, each field by itself; on its device.

    *Reading*: the camera's motion is what most of a field does. Where one thing fills more than half of the
    picture, it is the thing that stands still, and the ground moves.

    Args:
        flow: x and y in pixels.
        camera: ``median``, the middle value of x and that of y in a field, right for a camera that pans;
            ``homography``, what OpenCV's RANSAC finds in a grid of 24 × 24 points of the field, right for a
            camera that turns, zooms or nears a plane too; or ``keep``, nothing. A field in which no
            homography is found that keeps all of the picture before the camera is left the median instead.

    Raises:
        CallError: an unknown way, or a homography without OpenCV.
    """
    check_camera(camera)
    if camera == "keep" or not flow.numel():
        return flow
    if camera == "median":
        return flow - flow.flatten(2).median(dim=2).values[..., None, None]
    fields = [_camera_field(field) for field in flow.detach().cpu().numpy().astype(np.float64)]
    return flow - torch.from_numpy(np.stack(fields)).to(flow)


def _camera_field(field: np.ndarray) -> np.ndarray:
    """The motion (2, H, W) of the plane that most of a field follows."""
    height, width = field.shape[1:]
    rows, columns = (
        np.linspace(0, side - 1, min(side, _POINTS)).round().astype(int) for side in (height, width)
    )
    x, y = np.meshgrid(columns, rows)
    before = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    matrix = _homography(before, before + field[:, y.ravel(), x.ravel()].T, _NEAR * max(height, width))
    place = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    if matrix is not None:
        x_after, y_after, depth = np.einsum("ij,jhw->ihw", matrix, place)
        if depth.min() > 0.1:  # of a horizon that crosses the picture nothing is known beyond it
            return np.stack([x_after / depth, y_after / depth]) - place[:2]
    middle = np.median(field, axis=(1, 2), keepdims=True)
    return np.broadcast_to(middle, field.shape)


def _homography(before: np.ndarray, after: np.ndarray, near: float) -> np.ndarray | None:
    """(3, 3) from places (P, 2) to places, its last number 1; None where none is found. The same places give
    the same one."""
    import cv2

    if len(before) < 4:
        return None
    matrix, _ = cv2.findHomography(before, after, cv2.RANSAC, near)
    return None if matrix is None or not np.isfinite(matrix).all() else matrix
