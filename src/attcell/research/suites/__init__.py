"""Suites: the papers' claims measured on data of one kind, from nothing to a table. ``attcell reproduce``.

``generated`` makes its own videos, whose truth is known, and ``temporal`` compares on such what weights the
segments. ``weizmann`` and ``ut_interaction`` leave out each actor or sequence of real clips in turn.
``joined`` joins Weizmann's clips to untrimmed videos, and looks for the actions in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attcell._paths import check_output
from attcell.choices import SuiteName
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.research.claims import Verdict


@dataclass(frozen=True)
class SuiteCall:
    """Which suite is run, on what, and where it goes.

    Attributes:
        suite: its name.
        folder: of real clips; None for a suite that makes its own videos.
        weights: a file with SqueezeNet's weights for real clips; torchvision's if None.
        out: where everything goes; by default ``runs/reproduce-SUITE``, or ``-quick``.
        quick: one seed, and of generated videos few.
        jobs: how many trainings go side by side.
    """

    suite: SuiteName
    folder: Path | None = None
    weights: Path | None = None
    out: Path | None = None
    quick: bool = False
    jobs: int = 2

    @property
    def place(self) -> Path:
        """The folder for everything that the suite makes."""
        return self.out or Path("runs") / f"reproduce-{self.suite}{'-quick' if self.quick else ''}"


def reproduce(call: SuiteCall) -> list[Verdict]:
    """Run a suite, write claims.md, claims.csv and claims.png to ``call.place``, and judge.

    A suite that was broken off goes on where it was.

    Raises:
        CallError: a folder or weights that are missing, or that the suite takes none of; or ``call.place``
            holds something else.
        DataError: videos that are not there or cannot be read.
    """
    _refuse_foreign(call)
    check_output(call.place, is_folder=True)
    if call.folder is None:
        from attcell.research.suites.generated import reproduce_generated
        from attcell.research.suites.setting import FULL, QUICK
        from attcell.research.suites.temporal import reproduce_temporal

        run = reproduce_generated if call.suite == "generated" else reproduce_temporal
        return run(call.place, QUICK if call.quick else FULL, call.jobs)
    weights = "pretrained" if call.weights is None else str(call.weights)
    if call.suite == "joined":
        from attcell.research.suites import joined

        num_seeds = 1 if call.quick else joined.SEEDS
        return joined.reproduce_joined(call.folder, weights, call.place, num_seeds, call.jobs)
    from attcell.research.suites import clips

    real, num_seeds = clips.REAL_SETS[call.suite], 1 if call.quick else clips.SEEDS
    return clips.reproduce_clips(real, call.folder, weights, call.place, num_seeds, call.jobs)


def _refuse_foreign(call: SuiteCall) -> None:
    """Raise a CallError for a folder or weights that are missing, or that the suite takes none of."""
    suite, folder, weights = call.suite, call.folder, call.weights
    if suite in ("generated", "temporal"):
        given = [f"DIR {folder}"] * (folder is not None) + [f"--weights {weights}"] * (weights is not None)
        if given:
            raise CallError(
                f"{given[0]} is for real clips, and the suite {suite} makes its own videos; leave it out"
            )
    elif folder is None:
        raise CallError(f"the suite {suite} needs the folder of its videos: attcell reproduce {suite} DIR")
    elif not folder.is_dir():
        raise CallError(f"{folder}: no such folder; give the one with the videos of {suite}")
    elif weights is not None and not weights.is_file():
        raise CallError(f"--weights {weights}: no such file; leave it out to take torchvision's weights")
