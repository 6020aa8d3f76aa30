"""``attcell plan``: hours, bytes and GPUs of a recipe, before they are spent."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from attcell._terminal import put
from attcell.cli.common.options import Overrides, RecipeName, Row, end, files_of


def plan(
    recipe: RecipeName,
    overrides: Overrides = None,
    row: Row = None,
    videos: Annotated[
        int | None,
        typer.Option(
            min=3, help="How many are measured; by default 16, or eight for each process that decodes."
        ),
    ] = None,
    machines: Annotated[
        int | None,
        typer.Option(min=1, help="Tell of so many machines too; by default the recipe's train.num_nodes."),
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the plan to this file, or - for stdout.")
    ] = None,
) -> None:
    """Measure a few of a recipe's videos on this machine, and count what the whole list takes: hours of flow,
    features, training and test, and the disk. Videos that are missing count as the mean of those here.

    Example: attcell plan stan-small data.train=videos/train --machines 4
    """
    begun = time.perf_counter()
    from attcell._files import write_json
    from attcell._paths import check_outputs
    from attcell.config.loading import load_recipe
    from attcell.forecast.starts import timed_imports

    check_outputs(files_of(json_path), [])
    resolved = load_recipe(recipe, overrides or [], row)
    starts = timed_imports(begun)  # before what else imports that
    from attcell.forecast.call import make_plan
    from attcell.forecast.lines import plan_lines

    found = make_plan(resolved, videos=videos, machines=machines, starts=starts)
    if json_path is not None:
        write_json(json_path, found.to_dict())
    if json_path != "-":
        put(*plan_lines(found))
    end(found.sample.unread)
