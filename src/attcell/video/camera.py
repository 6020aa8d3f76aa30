"""Taking the camera's motion out of fields of flow, so that what moves by itself is left."""

from __future__ import annotations

import importlib.util
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attcell.errors import CallError
from attcell.types import CameraMotion

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
            "a homography of flow needs OpenCV; install it with: pip install 'attcell[opencv]', or take "
            "median, which needs nothing"
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
