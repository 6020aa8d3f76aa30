"""What a sweep looks through: ``key=1e-4..1e-2``, ``key=log:1e-4..1e-2``, ``key=1..8``, ``key=a,b,c``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attcell.config.overrides import is_path_key, read_overrides
from attcell.errors import CallError

Value = str | int | float  # of a key; of choices the text behind the =
Values = Mapping[str, Value]

_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})")
_WHOLE = re.compile(r"[+-]?\d+")
_NOT_CHOSEN = ("train.seed", "train.loggers", "name")  # a seed would be taken for its luck
_EXAMPLE = "train.learning_rate=log:1e-4..1e-1, train.batch_size=16,32,64 or model.lstm_hidden=64..512"


@dataclass(frozen=True)
class Dimension:
    """One key, and what is tried for it.

    Attributes:
        key: of the recipe.
        text: as it was given.
        choices: the texts of its values; empty for a range.
        low: the least value of a range.
        high: the largest one.
        is_log: whether each factor, and not each step, is as likely as another.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    low: int | float = 0
    high: int | float = 0
    is_log: bool = False

    @property
    def ends(self) -> tuple[Value, ...]:
        """All choices, or both ends of a range."""
        return self.choices or (self.low, self.high)


@dataclass(frozen=True)
class Space:
    """What is given of the recipe's values, and what is looked for.

    Attributes:
        fixed: ``key=value`` texts, the same for all trials.
        dimensions: at least one.
    """

    fixed: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    def overrides(self, values: Values) -> list[str]:
        """Of a recipe, with these values."""
        return [*self.fixed, *(f"{key}={value}" for key, value in values.items())]

    def corners(self) -> list[dict[str, Value]]:
        """The first value of each dimension, and then each other choice or end, one at a time."""
        first = {one.key: one.ends[0] for one in self.dimensions}
        return [first, *(first | {one.key: end} for one in self.dimensions for end in one.ends[1:])]


def read_space(texts: Sequence[str]) -> Space:
    """Tell what is fixed and what is looked for.

    Raises:
        CallError: nothing to look for, a range that is none, a key twice, or one that no sweep may choose.
    """
    read_overrides(texts)
    dimensions, fixed = [], []
    for text in texts:
        key, _, value = text.partition("=")
        dimension = None if is_path_key(key) else _dimension(key, value)
        if dimension is None:
            fixed.append(text)
        else:
            _refuse_unfit(dimension)
            dimensions.append(dimension)
    keys = [text.partition("=")[0] for text in texts]
    double = next((key for key in keys if keys.count(key) > 1), None)
    if double is not None:
        raise CallError(f"{double} is given twice; give one value, one range, or choices: {double}=a,b,c")
    if not dimensions:
        raise CallError(f"nothing to look for; give a key with a range or choices, such as {_EXAMPLE}")
    return Space(tuple(fixed), tuple(dimensions))


def _dimension(key: str, value: str) -> Dimension | None:
    """A range or choices; None for one value, such as a list in brackets."""
    text = f"{key}={value}"
    if (found := _RANGE.fullmatch(value)) is not None:
        is_whole = all(_WHOLE.fullmatch(end) for end in found.group(2, 3))
        low, high = (int(end) if is_whole else float(end) for end in found.group(2, 3))
        return Dimension(key, text, low=low, high=high, is_log=found[1] is not None)
    if value.startswith("log:") or ".." in value:
        raise CallError(f"{text} is no range of numbers; give LOW..HIGH or log:LOW..HIGH, such as {_EXAMPLE}")
    if "," in value and value[0] not in "[{\"'":
        return Dimension(key, text, choices=tuple(choice.strip() for choice in value.split(",")))
    return None


def _refuse_unfit(one: Dimension) -> None:
    if ":" in one.key:
        raise CallError(
            f"{one.text}: a sweep is of one recipe, so a key has no pattern before it; --row ROW names a row"
        )
    if one.key in _NOT_CHOSEN or one.key.startswith("data."):
        raise CallError(
            f"{one.text}: trials are compared on the same validation videos and the same draws, so "
            f"{one.key} is the same for all; give one value"
        )
    if one.choices and (len(set(one.choices)) < len(one.choices) or "" in one.choices):
        raise CallError(f"{one.text}: choices are different values, none empty")
    if not one.choices and one.low >= one.high:
        raise CallError(f"{one.text}: the first end of a range is below the second")
    if one.is_log and one.low <= 0:
        raise CallError(f"{one.text}: with log: both ends are above 0")
