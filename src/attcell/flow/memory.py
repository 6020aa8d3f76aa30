"""Keeping freed memory, for TV-L1 frees and takes the same few megabytes hundreds of times a second."""

from __future__ import annotations

from functools import cache

import torch

_MOST_KEPT = 31 * 2**20  # bytes; glibc looks at freed blocks of up to 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let the process keep up to twice ``_MOST_KEPT`` of freed memory instead of giving it back at once.

    Memory that comes back from the system comes page by page, each with a fault; for the preset ``paper``
    they were a third of its time. glibc gives back what lies free at the end of its heap beyond twice the
    largest block that was ever freed (M_MMAP_THRESHOLD in mallopt(3)), so one such block is freed here. It
    is never written to, so it costs nothing. To other C libraries this says nothing.
    """
    torch.empty(_MOST_KEPT, dtype=torch.uint8)
