"""``attcell learning-rate``: which learning rate a recipe may begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger
from attcell._terminal import put
from attcell.cli.common.options import Overrides, RecipeName, Row

if TYPE_CHECKING:
    from attcell.training.rate_finder import RateSearch

ROWS, WIDTH = 14, 32  # of the table


def learning_rate(
    recipe: RecipeName,
    overrides: Overrides = None,
    row: Row = None,
    iterations: Annotated[
        int, typer.Option(min=20, help="How many rates are tried, a batch of videos each.")
    ] = 100,
) -> None:
    """Find a learning rate to begin with: the loss while the rate grows. No network
    is kept; features go to the recipe's cache.folder, as in training.

    Example: attcell learning-rate stan-small data.train=videos/train
    """
    from attcell.config.loading import load_recipe
    from attcell.config.stages import refuse_stages

    resolved = load_recipe(recipe, overrides or [], row)
    refuse_stages(resolved)
    from attcell.training.rate_finder import find_learning_rate

    found = find_learning_rate(resolved, iterations=iterations)
    put(*_table(found))
    if found.suggestion is None:
        logger.warning("the loss falls at no rate; look at the videos and labels, or try more --iterations")
        raise typer.Exit(1)
    now = resolved.train.learning_rate
    put(f"suggestion: train.learning_rate={found.suggestion:g} (the recipe has {now:g})")


def _table(found: RateSearch) -> list[str]:
    """Some of the rates, the loss at each, and a bar as long as it."""
    last = len(found.rates) - 1
    places = sorted({round(number * last / (ROWS - 1)) for number in range(ROWS)})
    longest = max(found.losses)
    lines = [f"{'rate':>8}  {'loss':>7}"]
    for place in places:
        rate, loss = found.rates[place], found.losses[place]
        lines.append(f"{rate:8.1e}  {loss:7.3f}  {'▇' * max(1, round(WIDTH * loss / longest))}")
    if found.broke:
        lines.append(f"{'':8}  beyond: the training breaks")
    return lines
