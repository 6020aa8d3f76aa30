"""What machine a benchmark ran on, and where the real clips lie on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """Processor, cores, memory, GPU if there is one, Python and PyTorch."""
    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {gpu}; "
        f"Python {platform.python_version()}, PyTorch {torch.__version__.split('+')[0]}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).is_file() else []


def data_folder() -> Path | None:
    """``$ATTCELL_DATA``, else ``../shared/data`` beside the checkout; ``None`` if it is not there."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ATTCELL_DATA", beside))
    return folder if folder.is_dir() else None
