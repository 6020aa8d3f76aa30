"""What workers of a cluster do in tests. They import this file, and little else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attcell._log import logger
from attcell.errors import ModelError, VideoError


def done(items: Sequence[Path], folder: Path) -> Iterator[str | VideoError]:
    """Each item's name; what is done is also written down. A word does what it says."""
    for item in items:
        with (folder / "done").open("a") as file:
            file.write(f"{item.name}\n")
        told = folder / item.name
        if item.name == "kills" or (item.name.startswith("kills-once") and not told.exists()):
            told.touch()
            time.sleep(0.2)  # what was told before is on its way
            os.kill(os.getpid(), signal.SIGKILL)
        if item.name == "raises":
            raise ModelError("the network is broken")
        if item.name == "fails":
            yield VideoError(f"{item}: bad")
            continue
        if item.name == "warns":
            logger.warning("a thing to know")
        if item.name.startswith("slow"):
            time.sleep(0.3)
        yield item.name


def itself(item: Path) -> Path:
    return item


def only_in(process: int, item: Path) -> Path:
    return item if os.getpid() == process else Path("nowhere") / item.name


def imported(name: str) -> Any:
    return __import__(name)
