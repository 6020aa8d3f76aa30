"""What Triton's interpreter and the plain version both compute, and the interpreter's side of it.

    TRITON_INTERPRET=1 python -m tests.flow.triton_cases OUT.npz

A process of its own, for the variable must be there before Triton is imported. The interpreter takes some
four milliseconds for a row and an iteration; so pictures are a few rows high, and settings are short.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from attcell.flow import PRESETS, TVL1
from tests.flow.conftest import known_pair


@dataclass(frozen=True)
class Case:
    settings: TVL1
    height: int
    width: int
    shifts: tuple[float, ...] = (0.8,)  # of each pair, in x

    def pictures(self) -> list[torch.Tensor]:
        """Whole grey levels (B, H, W), float32 twice."""
        pairs = [
            known_pair(self.height, self.width, shift=(shift, -shift / 3), turn=shift / 100, seed=number)
            for number, shift in enumerate(self.shifts)
        ]
        batches = [[pair.previous for pair in pairs], [pair.following for pair in pairs]]
        return [torch.stack(batch).round().clamp(0, 255).float() for batch in batches]


PAPER, FAST = PRESETS["paper"], PRESETS["fast"]
BRIEF = replace(PAPER, num_warps=1, rounds=1, round_iterations=5, epsilon=0.0)
CASES = {
    "fast": Case(FAST, 3, 21),
    "paper, two warps": Case(replace(PAPER, num_warps=2, round_iterations=5, epsilon=0.05), 2, 19),
    "pairs that end apart": Case(replace(PAPER, num_warps=2, epsilon=0.08), 2, 20, (2.0, 0.1, 4.0)),
    "ends in the first launch after a median": Case(replace(PAPER, num_warps=1, epsilon=1.0), 3, 11),
    "never ends": Case(replace(PAPER, num_warps=1, rounds=2, round_iterations=5, epsilon=1e-9), 3, 12),
    "an epsilon whose square is zero": Case(replace(BRIEF, epsilon=1e-200), 3, 12, (0.0,)),
    "bicubic, lengths in float32": Case(replace(BRIEF, exact_length=False), 4, 9),
    "bilinear, exact lengths, no median": Case(replace(BRIEF, warp="bilinear", median=False), 4, 9),
    "two strips": Case(BRIEF, 3, 31),
    "pieces of a strip": Case(BRIEF, 65, 2),
    "two scales": Case(replace(BRIEF, num_scales=2, scale_step=0.93), 17, 18),
    "one pixel": Case(BRIEF, 1, 1),
    "one column": Case(replace(FAST, num_warps=1, round_iterations=5), 7, 1),
    "one row": Case(BRIEF, 1, 13),
}


def main() -> None:
    from attcell.flow._triton import tvl1_on_cuda

    _quicken()
    torch.set_num_threads(1)
    with torch.inference_mode():
        flows = {name: tvl1_on_cuda(*case.pictures(), case.settings).numpy() for name, case in CASES.items()}
    np.savez(sys.argv[1], **flows)


def _quicken() -> None:
    """Let our device functions be called as they are: the kernel that calls them has set up the interpreter,
    which else does so again in each call, and takes half as long again.
    """
    from triton.runtime.interpreter import InterpretedFunction

    whole = InterpretedFunction.__call__

    def call(function: Any, *args: Any, **options: Any) -> Any:
        if function.fn.__module__.startswith("attcell."):
            return function.rewrite()(*args, **options)
        return whole(function, *args, **options)

    InterpretedFunction.__call__ = call


if __name__ == "__main__":
    main()
