"""Experiments: ``attcell demo``, ``protocol``, ``ablate``, ``table`` and ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._terminal import put
from attcell.choices import AblationSubject, SuiteName, TableFormat
from attcell.cli.common.options import Jobs, Overrides, RecipeName, Row, end, numbers

if TYPE_CHECKING:
    from attcell.research.protocol import Outcome

Splits = Annotated[str | None, typer.Option(help="As 1,3; by default all splits of the data set.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many trainings of each, with seeds from 0.")]


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("attcell-demo"),
) -> None:
    """Generate videos, train a small STAN on them, test it, and write a report page. Takes 2 to 3 minutes.

    Example: attcell demo --out /tmp/demo
    """
    from attcell.research.demo import run_demo

    run_demo(out)


def protocol(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE... [[PATTERN:]KEY=VALUE]...",
            help="Recipes; overrides for all rows, or for those whose name fits PATTERN.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where all runs and the tables go.")] = Path("runs/protocol"),
    rows: Annotated[
        list[str] | None, typer.Option(help="Rows of a table by name, as 'ucf101-frame-*'; by default all.")
    ] = None,
    is_list: Annotated[bool, typer.Option("--list", help="Name the rows, and run none.")] = False,
    splits: Splits = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
) -> None:
    """Train and test recipes on every split of their data set, and put the metrics into one table.

    A recipe is a file or a packaged one's name; of a table all rows are run, or those of --rows. What a row
    begins with (weights: TABLE#ROW) is run before it, once. A section detection or fuse of a recipe is
    answered after the test. Run the same command again to go on after an interruption. OUT/NAME/split1-seed0/
    is a run folder as attcell train makes it.

    Example: attcell protocol stan-table-1 --rows 'ucf101-*' --list

    Example: attcell protocol weizmann data.root=videos/weizmann --out runs/weizmann --jobs 2

    TAN on HMDB51 that begins with TAN on UCF101; what goes to the rows of one data set alone has a PATTERN:

    Example: attcell protocol tan-table-1 --rows hmdb51-tan-on-ucf101 data.root=HMDB51 data.annotations=lists
    flow.store=none 'ucf101-*:data.root=UCF-101' 'ucf101-*:data.annotations=ucfTrainTestlist'

    TAN+, the scores of another tool fused with TAN's:

    Example: attcell protocol tan-table-1 --rows hmdb51-cnn-on-target data.root=HMDB51 data.annotations=lists
    flow.store=flow fuse.scores=mifs.csv

    Actions found in time, and their mAP:

    Example: attcell protocol stan-table-9 data.root=THUMOS14 data.annotations=thumos14 flow.store=flow
    model.streams.clip.weights=c3d.safetensors
    """
    from attcell.research.protocol import ProtocolCall

    names, overrides = ([word for word in words if ("=" in word) == given] for given in (False, True))
    call = ProtocolCall(names, overrides, rows or [], out, _numbers(splits, "--splits"), seeds, jobs)
    if is_list:
        put(*call.listed())
    else:
        _publish(call.run())


def ablate(
    subject: Annotated[AblationSubject, typer.Argument(help="What is changed.")],
    recipe: RecipeName,
    overrides: Overrides = None,
    row: Row = None,
    out: Annotated[Path | None, typer.Option(help="By default runs/NAME-SUBJECT.")] = None,
    counts: Annotated[
        str | None, typer.Option(help="Of segments at test, as 5,10,25; by default 5 to 70 in fives.")
    ] = None,
    splits: Splits = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
) -> None:
    """Change one thing of a recipe, and compare.

    tap: the feature map. segments: their number at test, with a picture. fusion: SAN and STAN, early and
    late. modalities: every set of the recipe's streams.

    Example: attcell ablate segments weizmann --row frame-stan data.root=videos/weizmann
    """
    from attcell.research.protocol import AblationCall

    asked, tested = _numbers(counts, "--counts"), _numbers(splits, "--splits")
    call = AblationCall(
        subject=subject,
        recipe=recipe,
        overrides=overrides or [],
        row=row,
        out=out,
        counts=asked,
        splits=tested,
        seeds=seeds,
        jobs=jobs,
    )
    _publish(call.run())


def _numbers(text: str | None, option: str) -> list[int] | None:
    return None if text is None else numbers(text, option)


def _publish(found: Outcome) -> None:
    """Print what an experiment came to; end with status 1 if a video could not be read."""
    put(*found.lines())
    end(found.unread.values())


def reproduce(
    suite: Annotated[SuiteName, typer.Argument(help="generated: videos with known truth, made on the spot.")],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Of real clips: their videos; of joined, Weizmann's."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="By default runs/reproduce-SUITE, or -quick.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed, and of generated videos few: minutes.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of real clips: SqueezeNet 1.0's as .safetensors; by default torchvision's, from the net.",
        ),
    ] = None,
    jobs: Jobs = 2,
) -> None:
    """Measure which of the papers' claims this implementation shows. Run again to go on after a stop.

    generated makes its own videos, and temporal compares on such what weights the segments. weizmann and
    ut_interaction leave out each actor or sequence of real clips. joined joins Weizmann's clips to untrimmed
    videos, and looks for the actions in them.

    OUT/claims.md, claims.csv and claims.png say of each claim whether it held. Exit status 1 if one that is
    expected to hold did not.

    Example: attcell reproduce generated --quick

    Example: attcell reproduce weizmann videos/weizmann --weights squeezenet.safetensors
    """
    from attcell.research import suites

    call = suites.SuiteCall(suite, folder, weights, out, quick, jobs)
    verdicts = suites.reproduce(call)
    print((call.place / "claims.md").read_text(encoding="utf-8"))
    put(f"written: {', '.join(str(call.place / f'claims.{suffix}') for suffix in ('md', 'csv', 'png'))}")
    failed = [verdict.claim for verdict in verdicts if verdict.is_failure]
    end(f"not held: {claim.said} ({claim.rule})" for claim in failed)


_BY_SUFFIX: dict[str, TableFormat] = {".csv": "csv", ".tex": "latex"}


def table(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_RUN...", help="Files that attcell test wrote, or folders above such."
        ),
    ],
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="By default as --out ends, else markdown.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file in place of stdout.")] = None,
) -> None:
    """One table of many runs' figures, with means over splits and seeds, published figures and the protocol.

    Example: attcell table runs --format latex --out table.tex
    """
    from attcell._files import write_text
    from attcell._paths import check_outputs
    from attcell.results.run_table import table_of
    from attcell.results.run_table_text import FORMATS
    from attcell.results.runs import find_runs, read_run

    paths = find_runs(places)
    if out is not None:
        check_outputs([out], paths)
    wanted = form or _BY_SUFFIX.get("" if out is None else out.suffix, "markdown")
    text = FORMATS[wanted](table_of([read_run(path) for path in paths]))
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        put(f"written: {out}")
