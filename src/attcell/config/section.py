"""What every section of a recipe is, and the kinds of values that several have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from attcell._servers import shown
from attcell._urls import is_url, path_or_url
from attcell.errors import CallError

Count = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
Fraction = Annotated[float, Field(ge=0, lt=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True)]
Word = BeforeValidator(lambda value: str(value) if type(value) is int else value)  # YAML reads 32 as a number


def _path_or_url(value: Any, local: ValidatorFunctionWrapHandler) -> Any:
    """A path, or the URL of something on a server, which goes into the run folder as it is."""
    if not is_url(value):
        return local(value)
    try:
        found = path_or_url(value)
    except CallError as error:
        raise ValueError(str(error)) from error
    if str(found) != found.url:  # type: ignore[attr-defined]
        raise ValueError(
            f"{found} is signed, and a recipe stands in the run folder for all to read; give a URL without "
            "?, and credentials by the environment"
        )
    return found


def _written(found: Any, info: SerializationInfo) -> Any:
    return str(found) if info.mode_is_json() else found


PathOrUrl = Annotated[Path, WrapValidator(_path_or_url), PlainSerializer(_written)]


class Section(BaseModel):
    """A part of a recipe: frozen, and with no key that we do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _on_a_disk(cls, value: Any, info: ValidationInfo) -> Any:
        """A path that is no :data:`PathOrUrl` may be no URL: it would become a folder ``s3:``."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if is_url(value) and Path in (kind, *get_args(kind)):
            raise ValueError(
                f"{shown(str(value))} is a URL, and this lies on local disks alone; give a local path"
            )
        return value
