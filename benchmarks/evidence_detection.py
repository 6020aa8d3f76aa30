"""Detection by evidence beside detection by class scores, in the suite of generated videos.

    uv run python -m benchmarks.evidence_detection [--out runs/generated] [--seeds 3]

The suite's videos, CNNs and STAN are made or taken over from ``attcell reproduce generated --out``; nothing
else of the suite is trained. The rule of evidence has one threshold, 0.1, which was chosen on the first seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from attcell._files import write_text
from attcell._log import messages_on_stderr
from attcell._parallel import one_thread
from attcell.research.driver import Figures, run_all
from attcell.research.measures import Streaming, streaming_metrics
from attcell.research.plan import plan_runs
from attcell.research.suites.generated import Seed, begin
from attcell.research.suites.networks import STAN, network_recipe
from attcell.research.suites.setting import FULL
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
RULES = {
    "`evidence`": "STAN by evidence",
    "`relative`": "STAN",
    "`stpn`": "STAN by STPN's rule",
    "`classes`, no attention": "STAN without attention",
    "`paper`": "STAN by the paper's rule",
    "as many intervals at random": "random intervals",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/generated"))
    parser.add_argument("--seeds", type=int, default=FULL.seeds)
    options = parser.parse_args()
    with messages_on_stderr(), one_thread():
        begun = begin(options.out.absolute(), FULL, 1)
        figures = [of_seed(begun.seed(number, FULL)) for number in range(options.seeds)]
    text = table(figures)
    write_text(RESULTS / "evidence_detection.md", text)
    sys.stdout.write(text)


def of_seed(seed: Seed) -> Figures:
    """What the suite measures of STAN sample by sample."""
    recipe = network_recipe(STAN, seed.untrimmed, seed.cnns, seed.features, FULL.epochs)
    (run,) = plan_runs([recipe], seed.folder / "runs", None, [seed.number])
    run_all([run], 1)
    return streaming_metrics(
        Streaming(STAN.name, run.model, seed.untrimmed.folder, FULL.calibrated, stored_flow=True)
    )


def table(figures: list[Figures]) -> str:
    """A row a rule: mAP at .5 of every seed, and their mean and deviation."""
    lines = [
        "# Detection by evidence",
        "",
        f"{machine()}. STAN of the suite of generated videos (`attcell reproduce generated`), 96 untrimmed "
        "test videos a seed; mAP in percent by THUMOS14's protocol, IoU .5. `evidence` has the threshold "
        "0.1, chosen on the first seed; `relative` and `classes` have what `attcell calibrate` chooses.",
        "",
        "| rule | by seed | mean |",
        "|---|---|---|",
    ]
    for rule, name in RULES.items():
        found = [of[f"{name}: detection"] for of in figures]
        spread = f" ± {np.std(found, ddof=1):.1f}" if len(found) > 1 else ""
        lines.append(
            f"| {rule} | {', '.join(f'{one:.1f}' for one in found)} | {np.mean(found):.1f}{spread} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
