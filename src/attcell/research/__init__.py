"""Research: experiments that go on where they were broken off, and the papers' claims judged by them.

``plan`` says which runs an experiment consists of; ``driver`` does them, and measurements on trained
networks; ``protocol`` puts them into one table. ``ablation`` varies a recipe, ``measures`` looks at where,
when and why. ``claims`` judges, ``claims_report`` writes the tables, and ``paper_claims`` lists what the
papers say. ``suites`` has what ``attcell reproduce`` runs, ``demo`` what ``attcell demo`` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell.research.ablation import segment_counts, variants
    from attcell.research.claims import Claim, Verdict, judge
    from attcell.research.driver import Measurement, PlannedRun, measure_all, run_all
    from attcell.research.plan import plan_runs
    from attcell.research.suites import SuiteCall, reproduce

_HOMES = {
    "ablation": ("segment_counts", "variants"),
    "claims": ("Claim", "Verdict", "judge"),
    "driver": ("Measurement", "PlannedRun", "measure_all", "run_all"),
    "plan": ("plan_runs",),
    "suites": ("SuiteCall", "reproduce"),
}

__all__ = [
    "Claim",
    "Measurement",
    "PlannedRun",
    "SuiteCall",
    "Verdict",
    "judge",
    "measure_all",
    "plan_runs",
    "reproduce",
    "run_all",
    "segment_counts",
    "variants",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"attcell.research.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
