"""TV-L1 on CUDA: the schedule of :mod:`attcell.flow._plain`, its steps as Triton kernels.

The host only says which kernel comes next. Which pairs are done is found out on the device; the host looks
after each round of iterations, and always at the round before the last one that it asked for, so that the
device has work while the host waits.
"""

from __future__ import annotations

import contextlib

import torch
import triton
from torch import Tensor

from attcell.flow._pictures import central_gradient, resized
from attcell.flow._settings import STEPS, TVL1, pyramid_sizes
from attcell.flow._triton_iterations import DONE, ENOUGH, iterate
from attcell.flow._triton_pictures import linearise, median

WIDE = 32  # columns of a strip with its margins: the threads of a warp, so that they exchange values directly
BLOCK = 256  # pixels of a block, where pixels do not hang together
_BLOCKS = 4096  # fewer do not fill a GPU
_SHORTEST = 32  # rows of a piece; the margins of shorter ones would cost too much
_SMALLEST, _LARGEST = 1e-38, 3e38  # of the numbers that a float32 can hold
_OLDEST = 70  # ten times the compute capability that Triton asks for


def check_triton() -> None:
    """Raise whatever stands in the way of kernels on the current device: no C compiler, say, or its age."""
    target = triton.runtime.driver.active.get_current_target()
    if target.backend == "cuda" and target.arch < _OLDEST:
        raise RuntimeError(f"the GPU's compute capability is {target.arch / 10}")


def tvl1_on_cuda(first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    """Float32 pictures (B, H, W) twice, on a CUDA device -> the flow (B, 2, H, W)."""
    with torch.cuda.device(first.device) if first.is_cuda else contextlib.nullcontext():
        pictures = [torch.stack([first, second], dim=1)]
        height, width = first.shape[-2:]
        sizes = pyramid_sizes(height, width, settings.num_scales, settings.scale_step)
        for size in sizes[1:]:
            pictures.append(resized(pictures[-1], size, settings.scale_step))
        flow = torch.zeros_like(pictures[-1])
        for scale in reversed(pictures):
            if flow.shape != scale.shape:
                flow = resized(flow, scale.shape[-2:]) * (1 / settings.scale_step)
            flow = _Scale(scale, flow, settings).solved()
    return flow


class _Scale:
    """A batch at one scale; :mod:`attcell.flow._triton_iterations` says what its tensors hold."""

    def __init__(self, pictures: Tensor, flow: Tensor, settings: TVL1) -> None:
        """Pictures and the flow to begin with, both (B, 2, H, W)."""
        self.first = pictures[:, 0].contiguous()
        self.moving = torch.stack([pictures[:, 1], *central_gradient(pictures[:, 1])], dim=1)
        self.settings = settings
        self.pairs, _, self.height, self.width = flow.shape
        self.state = flow.new_zeros(2, self.pairs, 6, self.height, self.width)
        self.state[0, :, :2] = flow
        self.smooth = torch.empty_like(flow)
        self.linear = torch.empty_like(self.moving)
        self.progress = torch.zeros(3, self.pairs, dtype=torch.int32, device=flow.device)
        self.moved = torch.zeros(3, self.pairs, STEPS, dtype=torch.int64, device=flow.device)
        self.launch = 0
        self.was_from_smooth = False

    def solved(self) -> Tensor:
        """The flow (B, 2, H, W) after all the warps."""
        for _ in range(self.settings.num_warps):
            self._linearise()
            watch = _Watch()
            for number in range(self.settings.rounds):
                self._round(fresh=number == 0)
                if self.settings.epsilon > 0 and watch.all_done(self._last_progress):
                    break
            if self.settings.epsilon > 0:
                self._iterate(fresh=False, from_smooth=False, closing=True)
        side = self._last_progress % 2
        return self.state[side, torch.arange(self.pairs, device=side.device), :2]

    @property
    def _last_progress(self) -> Tensor:
        """(B,), as the last launch left it."""
        return self.progress[(self.launch - 1) % 3]

    def _round(self, *, fresh: bool) -> None:
        if self.settings.median:
            self._median(fresh)
        for start in range(0, self.settings.round_iterations, STEPS):
            is_first = start == 0
            self._iterate(fresh=fresh and is_first, from_smooth=self.settings.median and is_first)

    def _linearise(self) -> None:
        blocks = -(-self.height * self.width // BLOCK)
        linearise[(self.pairs * blocks,)](
            self.state,
            self.linear,
            self.progress,
            self.first,
            self.moving,
            self.pairs,
            self.height,
            self.width,
            blocks,
            self.launch % 3,
            BICUBIC=self.settings.warp == "bicubic",
            BLOCK=BLOCK,
            enable_fp_fusion=not self.settings.exact_length,
        )

    def _median(self, fresh: bool) -> None:
        blocks = -(-self.height * self.width // BLOCK)
        median[(2 * self.pairs * blocks,)](
            self.state,
            self.smooth,
            self.progress,
            self.moved,
            self.pairs,
            self.height,
            self.width,
            blocks,
            self.launch % 3,
            int(fresh),
            STEPS=STEPS,
            MEASURED=self.settings.epsilon > 0,
            BLOCK=BLOCK,
            enable_fp_fusion=False,
        )

    def _iterate(self, *, fresh: bool, from_smooth: bool, closing: bool = False) -> None:
        chosen = self.settings
        strips = -(-self.width // (WIDE - 2 * STEPS))
        pieces = max(1, min(-(-_BLOCKS // (self.pairs * strips)), self.height // _SHORTEST))
        enough = max(chosen.epsilon**2 * self.height * self.width, _SMALLEST)
        iterate[(self.pairs * strips * pieces,)](
            self.state,
            self.smooth,
            self.linear,
            self.progress,
            self.moved,
            self.pairs,
            self.height,
            self.width,
            strips,
            pieces,
            -(-self.height // pieces),
            self.launch % 3,
            int(fresh),
            int(from_smooth),
            int(self.was_from_smooth),
            int(closing),
            chosen.tau / chosen.theta,
            chosen.theta,
            chosen.attachment * chosen.theta,
            min(ENOUGH.value / enough, _LARGEST),
            STEPS=STEPS,
            WIDE=WIDE,
            MEASURED=chosen.epsilon > 0,
            EXACT=chosen.exact_length,
            num_warps=1,
            enable_fp_fusion=not chosen.exact_length,
        )
        self.launch += 1
        self.was_from_smooth = from_smooth


class _Watch:
    """Whether all pairs are done, as it was a call ago: so the device has work while the host waits."""

    def __init__(self) -> None:
        self.asked: tuple[Tensor, torch.cuda.Event | None] | None = None

    def all_done(self, progress: Tensor) -> bool:
        """What the call before asked for; ask for what ``progress`` (B,) says now."""
        answer, event = (progress >= DONE.value).all(), None
        if answer.is_cuda:
            answer = torch.empty_like(answer, device="cpu", pin_memory=True).copy_(answer, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        before, self.asked = self.asked, (answer, event)
        if before is None:
            return False
        if before[1] is not None:
            before[1].synchronize()
        return bool(before[0])
