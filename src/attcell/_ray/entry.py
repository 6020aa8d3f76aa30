"""What Ray calls in a worker. Nothing here imports PyTorch, which reads some of the environment as it is
imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Sent:
    """What each worker gets.

    Attributes:
        ledger: the actor's name.
        run: the name of the list of videos.
        folder: the driver's, which relative paths start from.
        environment: its variables of attcell.
        versions: of what it runs.
        threads: that a network has; on a CPU some of its bits depend on that.
        cores: that the worker has.
        level: of the messages that somebody sees.
        computes: a network runs.
        signs: files in the folders that the work is written to, which whoever has the same folders sees.
        patience: seconds until they are seen.
    """

    ledger: str
    run: str
    folder: str
    environment: dict[str, str]
    versions: dict[str, str]
    threads: int
    cores: int
    level: int
    computes: bool
    signs: tuple[Path, ...]
    patience: float


def do_block(table: pyarrow.Table, sent: Sent) -> Iterator[pyarrow.Table]:
    """A block's answers, in rows of those of a second each.

    Args:
        table: one row, the first video's number and the videos.
        sent: what all blocks have in common.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as attcell.cli.app has it
    import pyarrow

    from attcell._ray.work import Block

    block = Block(sent, table["first"][0].as_py())
    for row in block.rows(table["items"][0].as_buffer()):
        yield pyarrow.table({"answers": pyarrow.array([row], pyarrow.large_binary())})


class Worker:
    """The same as an actor, which keeps its GPU from block to block."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        return do_block(table, self._sent)
