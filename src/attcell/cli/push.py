"""``attcell push``: a trained model on the Hugging Face hub, with a card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attcell._terminal import put

_TEST = Path("test-test", "scores.json")  # where attcell test writes, beside a model folder


def push(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    name: Annotated[str, typer.Argument(help="Its id at the hub, OWNER/NAME; made where there is none.")],
    results: Annotated[
        Path | None,
        typer.Option(
            help="The scores.json of attcell test, whose figures the card shows; by default the one beside "
            "MODEL, if there is one."
        ),
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="As the hub names it, such as mit; none stated without.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Of a new repository.")] = False,
    revision: Annotated[
        str | None, typer.Option(help="A branch, made where there is none; by default main.")
    ] = None,
    new_card: Annotated[
        bool, typer.Option("--new-card", help="Write the card also over one that is there.")
    ] = False,
    dry_run: Annotated[
        Path | None, typer.Option(help="Write what would go there into this folder, and upload nothing.")
    ] = None,
) -> None:
    """Upload a trained model to the Hugging Face hub, with a card: classes, figures with their protocol,
    recipe, and how to use it.

    The recipe goes there without the places of this machine. A card that is there stays as people wrote it.
    Log in first: hf auth login.

    Example: attcell push runs/mine/model someone/stan-mine --dry-run card

    Example: attcell push runs/mine/model someone/stan-mine --license mit
    """
    from attcell._log import logger
    from attcell._paths import check_output
    from attcell.errors import CallError
    from attcell.inference.model import Model

    if dry_run is not None:
        check_output(dry_run, is_folder=True)
        if dry_run.absolute() == model.absolute():
            raise CallError(f"--dry-run {dry_run} is the model's own folder; name another")
    beside = model.absolute().parent / _TEST
    results = results or (beside if beside.is_file() else None)
    if results is None:
        logger.info(f"attcell: the card states no figures; attcell test {model} makes some")
    loaded = Model.from_folder(model)
    where = loaded.push_to_hub(
        name,
        private=private or None,
        revision=revision,
        results=results,
        licence=license_,
        new_card=new_card,
        dry_run=dry_run,
    )
    put(f"written: {where}, with README.md" if dry_run is not None else f"uploaded: {where}")
