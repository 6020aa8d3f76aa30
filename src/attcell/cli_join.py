"""``attcell join``: untrimmed videos with known intervals, out of trimmed clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def join(
    clips: Annotated[Path, typer.Argument(help="A folder per class, with files PERSON_anything.avi.")],
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    background: Annotated[str, typer.Option(help="Classes that happen between the actions, as walk,run.")],
    test_people: Annotated[str, typer.Option(help="Who acts in the test videos alone, as daria,denis.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same videos.")] = 0,
    train: Annotated[int, typer.Option(min=0, help="Videos of each class for training.")] = 20,
    test: Annotated[int, typer.Option(min=0, help="Videos of each class for testing.")] = 10,
) -> None:
    """Join trimmed clips into untrimmed videos whose actions' times are known (truth.json).

    Example: attcell join weizmann joined --background walk,run,skip,side --test-people daria,denis,eli
    """
    from attcell.data.joined.write import write_joined
    from attcell.progress import track

    write_joined(
        out,
        clips,
        background=background.split(","),
        test_people=test_people.split(","),
        seed=seed,
        videos={"train": train, "test": test},
        progress=track,
    )
    print(f"{out}: train and test, truth in {out / 'truth.json'}")
