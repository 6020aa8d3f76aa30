"""What a command takes before it does anything: the imports of a new process."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import NamedTuple


class Starts(NamedTuple):
    """Seconds of the imports; 0 where they were there already.

    Attributes:
        walking: what walks a list of videos imports, such as a test.
        training: what a training imports.
    """

    walking: float = 0.0
    training: float = 0.0


_WALKING, _TRAINING = "attcell.inference.evaluate", "attcell.training.fit"


def timed_imports(begun: float) -> Starts:
    """Import what commands import, as the first that this process does.

    Args:
        begun: when the process began to import, by ``time.perf_counter``: to read a recipe takes PyTorch too.
    """
    if _WALKING in sys.modules or _TRAINING in sys.modules:
        return Starts()
    import_module(_WALKING)
    walking = time.perf_counter() - begun
    import_module(_TRAINING)
    return Starts(walking, time.perf_counter() - begun)
