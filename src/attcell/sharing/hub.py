"""The Hugging Face hub: a model's files from there, and to there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

from attcell._checks import shown
from attcell._files import write_text
from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError
from attcell.sharing.card import model_card, read_test

CARD, PICTURE = "README.md", "confusion.png"
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_PLACE = re.compile(r"[/\\~]|[A-Za-z]:[\\/]|\w+://")  # how a path from the root begins, or a URL


def with_revision(name: str, revision: str | None) -> tuple[str, str | None]:
    """A model's id and its revision, of ``OWNER/NAME`` or ``OWNER/NAME@REVISION``.

    Raises:
        CallError: two different revisions are asked for.
    """
    model, at, told = name.partition("@")
    if not at or not _ID.fullmatch(model):
        return name, revision
    if revision not in (None, told):
        raise CallError(f"{name} names revision {told}, and revision is {revision!r}; give one of them")
    return model, told


def downloaded(name: str, files: list[str], options: dict[str, Any]) -> Path:
    """The folder with a model's files from the Hugging Face hub.

    Raises:
        CallError: no such model or revision, or none that can be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=files, **options))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, HFValidationError):
            why = "it is no id of the form OWNER/NAME"
        elif isinstance(error, RevisionNotFoundError):
            why = f"it has no revision {options['revision']}; give a branch, a tag or a commit of it"
        elif isinstance(error, RepositoryNotFoundError):
            why = "it has no public model of this name; a private one wants `hf auth login`"
        elif isinstance(error, LocalEntryNotFoundError) or not isinstance(error, HfHubHTTPError):
            why = "it cannot be reached, and no copy is on this machine"
        else:
            why = str(error).splitlines()[0]
        raise CallError(
            f"no model folder at {name}, and the Hugging Face hub gives none by this id: {why}"
        ) from error


class HubOptions(TypedDict, total=False):
    """How a model goes to the hub.

    Attributes:
        private: whether a new repository is.
        revision: a branch, which is made where there is none; by default main.
        token: by default that of ``hf auth login``.
        results: the scores.json of a test, whose figures the card shows; a confusion.png beside it too.
        licence: as the hub names it, such as ``mit``; the card says nothing of it without.
        new_card: write the card also where there is one, over what people wrote into it.
        dry_run: write what would go to the hub into this folder, and upload nothing.
    """

    private: bool | None
    revision: str | None
    token: str | None
    results: Path | None
    licence: str | None
    new_card: bool
    dry_run: Path | None


Save = Callable[[Path], None]


def as_shared(recipe: Recipe) -> Recipe:
    """The recipe without the places of this machine: of a path from the root, or of a URL, the last name is
    left, and of stored flow nothing.
    """
    values = _without_places(recipe.model_dump(mode="json"))
    values["flow"]["store"] = None
    return check_recipe(values, "the recipe")


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(of) for key, of in value.items()}
    if isinstance(value, list):
        return [_without_places(of) for of in value]
    if isinstance(value, str) and _PLACE.match(value):
        return re.split(r"[\\/]", value.rstrip("\\/"))[-1]
    return value


def push(name: str, save: Save, labels: tuple[str, ...], recipe: Recipe, options: HubOptions) -> str:
    """Upload a model to the Hugging Face hub, and return its address there; of a dry run its folder.

    Args:
        name: an id such as ``someone/stan-ucf101``; the repository is made where there is none.
        save: writes the model folder.
        labels: the classes, for the card.
        recipe: for the card, as of :func:`as_shared`.
        options: of :class:`HubOptions`.

    Raises:
        CallError: no id, not logged in, no right to write there, or the hub cannot be reached.
        DataError: no figures where they should be.
    """
    if not _ID.fullmatch(name):
        raise CallError(f"{shown(name)} is no id at the Hugging Face hub; give OWNER/NAME")
    results = options.get("results")
    tested = None if results is None else read_test(results)
    picture = None if results is None else results.with_name(PICTURE)

    def write_card(folder: Path) -> None:
        is_there = picture is not None and picture.is_file()
        if picture is not None and is_there:
            shutil.copyfile(picture, folder / PICTURE)
        text = model_card(
            name,
            labels,
            recipe,
            tested=tested,
            licence=options.get("licence"),
            picture=PICTURE if is_there else None,
        )
        write_text(folder / CARD, text)

    dry = options.get("dry_run")
    if dry is not None:
        save(dry)
        write_card(dry)
        return str(dry)
    return _uploaded(name, save, write_card, options)


def _uploaded(name: str, save: Save, write_card: Save, options: HubOptions) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api, revision = HfApi(token=options.get("token")), options.get("revision")
    try:
        there = api.create_repo(name, private=options.get("private"), exist_ok=True).repo_id
        if revision is not None:
            api.create_branch(there, branch=revision, exist_ok=True)
        with TemporaryDirectory(prefix="attcell-") as place:
            save(Path(place))
            if options.get("new_card") or not api.file_exists(there, CARD, revision=revision):
                write_card(Path(place))
            return str(api.upload_folder(repo_id=there, folder_path=place, revision=revision))
    except LocalTokenNotFoundError as error:
        raise CallError(f"{name} was not uploaded: nobody is logged in; run hf auth login") from error
    except HfHubHTTPError as error:
        raise CallError(f"{name} was not uploaded: {_refusal(error)}") from error
    except _of_the_network(HfHubHTTPError) as error:
        raise CallError(
            f"{name} was not uploaded: the Hugging Face hub cannot be reached; try again, or see what would "
            "go there by attcell push --dry-run FOLDER"
        ) from error


def _refusal(error: Any) -> str:
    """What the hub says no to; never the request, which has the token."""
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return (
            "the Hugging Face hub lets nobody write there with this token; run hf auth login with one that "
            "may write, and name yourself or your organisation as OWNER"
        )
    return f"the Hugging Face hub answered {status}; try again later"


def _of_the_network(refusal: type[Exception]) -> tuple[type[Exception], ...]:
    """What the hub's client raises without a network. The library that it speaks HTTP by changes with its
    version; what it raises of an answer is always one of that library's errors.
    """
    return (OSError, *(base for base in refusal.__mro__ if base.__name__ == "HTTPError"))
