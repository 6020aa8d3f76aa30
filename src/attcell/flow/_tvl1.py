"""TV-L1 optical flow (Zach, Pock and Bischof 2007) on the fastest kernel of the device.

From a coarse scale to the full one, and at each scale a few times over: the second picture is warped by the
flow found so far, its brightness is made linear around that flow, and the convex problem that is left,

    minimise  Σ |∇u₁| + |∇u₂| + λ |ρ(u)|,    ρ(u) = I₁(x + u⁰) + ⟨∇I₁(x + u⁰), u − u⁰⟩ − I₀(x),

is solved by fixed point iterations. As in OpenCV's DualTVL1 the flow goes through a 5×5 median every few
iterations, and a pair is done with a warp once its flow hardly moves. :mod:`attcell.flow._plain` has it as
PyTorch's operations; :mod:`attcell.flow._cpu` is the same for a processor's vectors, and
:mod:`attcell.flow._triton` for a CUDA device.

A last bit that differs becomes another code for every tenth pixel of a still background. So sums are added in
OpenCV's order, and what its resize and remap round once is rounded once here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, TypeVar

import numpy as np

from attcell.errors import CallError
from attcell.flow._settings import TVL1, chosen_settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Kernel = Callable[[Tensor, Tensor, TVL1], Tensor]  # pictures (B, H, W) float32 twice -> flow (B, 2, H, W)

_LARGEST = np.finfo(np.float32).max

# What the plain version does at once: what fits a core's cache; what keeps a GPU busy in 4 GiB.
_PIXELS_AT_ONCE = {"cpu": 2**17, "cuda": 2**25}

logger = logging.getLogger("attcell")

Pictures = TypeVar("Pictures", "Tensor", np.ndarray)


def tvl1(
    previous: Pictures, following: Pictures, settings: TVL1 | Literal["paper", "fast", "fine"] = "paper"
) -> Pictures:
    """Optical flow from each previous picture to the following one.

    On the CPU the pairs are shared out over ``torch.get_num_threads()`` threads; where PyTorch is not
    imported, over as many as the process has cores.

    Args:
        previous: grey pictures (B, H, W), 0 to 255, of any number type: a tensor, or a NumPy array.
        following: the same shape and kind, on the same device.
        settings: a preset's name, or settings of your own.

    Returns:
        (B, 2, H, W), of the same kind: x and y of the motion of each pixel, in pixels. It is float64 for
        tensors of float64, by plain PyTorch, and else float32. A pair's flow does not depend on the pairs
        beside it.

    Raises:
        CallError: no arrays or tensors of numbers, shapes that differ or are not (B, H, W), a picture without
            pixels or with a number that is not finite, an unknown preset.
    """
    _check(previous, following)
    keep_freed_memory()
    chosen = chosen_settings(settings)
    if isinstance(previous, np.ndarray):
        return _of_arrays(previous, following, chosen)
    import torch

    with torch.no_grad():  # in inference mode the flow could not be learnt from, nor changed
        dtype = torch.float64 if torch.float64 in (previous.dtype, following.dtype) else torch.float32
        find = _kernel_for(previous.device.type, dtype)
        if find is not _on_cpu:
            previous, following = previous.to(dtype), following.to(dtype)
        return find(previous, following, chosen)


def _of_arrays(previous: np.ndarray, following: np.ndarray, settings: TVL1) -> np.ndarray:
    if not _cpu_works():
        import torch

        first, second = (torch.from_numpy(given.astype(np.float32)) for given in (previous, following))
        return _plain(first, second, settings).numpy()
    from attcell.flow._cpu import tvl1_on_cpu

    return tvl1_on_cpu(previous, following, settings, _threads())


_IN_WORKER: list[int] = []


def use_threads(count: int) -> None:
    """From now on so many threads compute flow on the CPU in this process, whatever PyTorch's are."""
    _IN_WORKER[:] = [count]


def _threads() -> int:
    from attcell.flow._machine_code import num_cores

    if _IN_WORKER:
        return _IN_WORKER[0]
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else num_cores()


def _kernel_for(device: str, dtype: torch.dtype) -> Kernel:
    """The fastest one that there is."""
    if str(dtype) == "torch.float32":
        if device == "cpu" and _cpu_works():
            return _on_cpu
        if device == "cuda" and _cuda_works():
            return _on_cuda
    return _plain


@cache
def _cpu_works() -> bool:
    """Whether numba's kernels can be had here; if not, it is said once."""
    try:
        from attcell.flow._machine_code import finder

        finder()
    except Exception as error:  # whatever is wrong with numba or LLVM here, there is another way
        _warn_once(
            f"attcell: the fast flow kernels do not work here ({type(error).__name__}: {error}); flow is "
            "computed by PyTorch's operations instead, some twenty times slower. Install numba anew"
        )
        return False
    return True


_warned: dict[str, object] = {}


def _warn_once(message: str) -> None:
    """Also where several threads ask at once."""
    mine = object()
    if _warned.setdefault(message, mine) is mine:
        logger.warning(message)


def _on_cpu(first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    import torch

    from attcell.flow._cpu import tvl1_on_cpu

    # Each thread converts its own pictures. PyTorch would do it on threads of its own, which then wait for
    # more by spinning: they took half of the cores from a small batch.
    return torch.from_numpy(tvl1_on_cpu(_array(first), _array(second), settings, _threads()))


def _array(pictures: Tensor) -> np.ndarray:
    import torch

    pictures = pictures.detach()
    return (pictures.float() if pictures.dtype == torch.bfloat16 else pictures).numpy()


@cache
def _cuda_works() -> bool:
    """Whether Triton's kernels can be had here; if not, it is said once."""
    try:
        from attcell.flow._triton import check_triton

        check_triton()
    except Exception as error:  # whatever is wrong with Triton or the driver here, there is another way
        _warn_once(
            f"attcell: the fast flow kernels do not work on this GPU ({type(error).__name__}: {error}); flow "
            "is computed by PyTorch's operations instead, many times slower. They need Triton, which PyTorch "
            "brings on Linux, a C compiler, and a GPU of compute capability 7.0 or more"
        )
        return False
    return True


def _on_cuda(first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    from attcell.flow._triton import tvl1_on_cuda

    return _in_parts(tvl1_on_cuda, first, second, settings)


def _plain(first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    from attcell.flow._plain import tvl1_plain

    return _in_parts(tvl1_plain, first, second, settings)


def _in_parts(find: Kernel, first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    num_pairs, height, width = first.shape
    at_once = max(1, _PIXELS_AT_ONCE.get(first.device.type, 2**17) // (height * width))
    flow = first.new_empty(num_pairs, 2, height, width)
    for start in range(0, num_pairs, at_once):
        part = slice(start, start + at_once)
        flow[part] = find(first[part], second[part], settings)
    return flow


def _is_tensor(given: Any) -> TypeGuard[Tensor]:
    """Without importing PyTorch."""
    return "torch" in sys.modules and isinstance(given, sys.modules["torch"].Tensor)


def check_kinds(previous: Any, following: Any) -> None:
    """Two NumPy arrays or two tensors of real numbers.

    Raises:
        CallError: other things, one of each, or other kinds of numbers.
    """
    for given in (previous, following):
        if not isinstance(given, np.ndarray) and not _is_tensor(given):
            raise CallError(
                f"a picture is a {type(given).__name__}; allowed: NumPy arrays, such as np.asarray(picture) "
                "of one of Pillow's, or tensors"
            )
        is_real = given.dtype.kind in "buif" if isinstance(given, np.ndarray) else not given.is_complex()
        if not is_real:
            raise CallError(f"a picture has values of the type {given.dtype}; allowed: real numbers")
    if isinstance(previous, np.ndarray) != isinstance(following, np.ndarray):
        raise CallError("one picture is a NumPy array and the other a tensor; allowed: two of a kind")


def _check(previous: Tensor | np.ndarray, following: Tensor | np.ndarray) -> None:
    check_kinds(previous, following)
    if previous.shape != following.shape or previous.ndim != 3:
        raise CallError(
            f"pictures have shapes {tuple(previous.shape)} and {tuple(following.shape)}; "
            "allowed: two batches of grey pictures of one shape (B, H, W)"
        )
    if 0 in previous.shape[1:]:
        raise CallError(f"pictures have shape {tuple(previous.shape)}; a picture needs at least one pixel")
    for name, pictures in (("previous", previous), ("following", following)):
        pair = _first_not_finite(pictures)
        if pair is not None:
            raise CallError(
                f"the {name} picture of pair {pair} holds NaN or an infinite number, as float32; "
                "allowed: finite numbers, 0 to 255"
            )


def _first_not_finite(pictures: Tensor | np.ndarray) -> int | None:
    """The first picture with such a number in it."""
    if not isinstance(pictures, np.ndarray):
        if not pictures.is_floating_point():
            return None
        if pictures.device.type != "cpu":
            is_fine = pictures.isfinite().flatten(1).all(1)
            return None if is_fine.all() else int((~is_fine).nonzero()[0])
        pictures = _array(pictures)
    if pictures.dtype.kind != "f":
        return None
    fine = (np.abs(pictures) <= _LARGEST).all(axis=(1, 2))
    return None if fine.all() else int(np.argmin(fine))


# Keeping freed memory, for TV-L1 frees and takes the same few megabytes hundreds of times a second.

_MOST_KEPT = 31 * 2**20  # bytes; glibc looks at freed blocks of up to 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let the process keep up to twice ``_MOST_KEPT`` of freed memory instead of giving it back at once.

    Memory that comes back from the system comes page by page, each with a fault; for the preset ``paper``
    they were a third of its time. glibc gives back what lies free at the end of its heap beyond twice the
    largest block that was ever freed (M_MMAP_THRESHOLD in mallopt(3)), so one such block is freed here. It
    is never written to, so it costs nothing. To other C libraries this says nothing.
    """
    np.empty(_MOST_KEPT, np.uint8)
