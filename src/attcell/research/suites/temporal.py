"""The suite of temporal attention: what weights the segments, on generated videos, untrimmed and trimmed.

The paper's LSTM stands beside an encoder and decoder, and both beside what has no recurrence: an AttCell on
the segments, self-attention, and none at all. Videos and CNNs are made as those of the suite ``generated``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from attcell._log import logger
from attcell._parallel import one_thread
from attcell.research.claims import Verdict
from attcell.research.claims_report import write_outcome
from attcell.research.driver import measure_all, run_all
from attcell.research.paper_claims import TEMPORAL
from attcell.research.plan import plan_runs
from attcell.research.suites.generated import Begun, begin, streamed
from attcell.research.suites.networks import CONV6, TAP, Network, network_recipe, small_recipe
from attcell.research.suites.setting import Size, temporal_setting

_DECODER: dict[str, Any] = {"temporal": "encoder_decoder"}
_FORMS: dict[str, dict[str, Any]] = {
    "LSTM": {},
    "LSTM of two directions": {"lstm_bidirectional": True},
    "encoder-decoder": _DECODER,
    "encoder-decoder, dot product": _DECODER | {"decoder_score": "dot"},
    "encoder-decoder of two directions": _DECODER | {"lstm_bidirectional": True},
    "encoder-decoder of classes": _DECODER | {"decoder_steps": "classes"},
    "self-attention": {"temporal": "self_attention"},
    "AttCell": {"temporal": "attcell"},
}
UNTRIMMED = (
    *(Network(name, "stan", tap=TAP, model=model) for name, model in _FORMS.items()),
    Network("none", "san", tap=TAP),
)
TRIMMED = tuple(replace(network, name=f"{network.name}, trimmed", tap=None) for network in UNTRIMMED)


def reproduce_temporal(out: Path, size: Size, jobs: int) -> list[Verdict]:
    """Run the suite in the folder ``out``, write claims.md, claims.csv and claims.png there, and judge.

    A suite that was broken off goes on where it was. So many jobs go side by side.

    Raises:
        CallError: a folder in ``out`` holds something else, such as a suite of another size.
    """
    out = out.absolute()  # as recipes have their paths
    figures: dict[str, list[float]] = {}
    with one_thread():
        begun = begin(out, size, jobs)
        for number in range(size.seeds):
            for name, value in _seed_figures(begun, number, size, jobs).items():
                figures.setdefault(name, []).append(value)
    return write_outcome(out, "What weights the segments", temporal_setting(size, CONV6), TEMPORAL, figures)


def _seed_figures(begun: Begun, number: int, size: Size, jobs: int) -> dict[str, float]:
    """Name → figure, in percent, of one seed."""
    seed = begun.seed(number, size)
    logger.info(f"{number + 3}/{size.seeds + 2} seed {seed.number}: networks, and what they find")
    where = (seed.cnns, seed.features)
    recipes = [network_recipe(network, seed.untrimmed, *where, size.epochs) for network in UNTRIMMED]
    recipes += [small_recipe(network, seed.small, *where, size.epochs // 2) for network in TRIMMED]
    planned = plan_runs(recipes, seed.folder / "runs", None, [seed.number])
    run_all(planned, jobs)
    runs = dict(zip([network.name for network in (*UNTRIMMED, *TRIMMED)], planned, strict=True))
    figures: dict[str, float] = {}
    for name, run in runs.items():
        figures |= run.accuracies(name)
    measurements = {
        f"streaming-{network.folder}": streamed(network.name, runs[network.name].model, seed, size)
        for network in UNTRIMMED
    }
    for more in measure_all(measurements, seed.folder / "measured", jobs).values():
        figures |= more
    return figures
