"""The values of a recipe in layers: which goes over which, which are left open, which stand for others.

Recipes come from strangers too. So ``${train.seed}`` stands for another value of the recipe, and nothing else
is possible: no environment, no file, no function. How much such references may give is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from attcell._checks import shown

OPEN = "???"
_MOST_STEPS = 100  # on the way to a value: levels of nesting and references
_MOST_LETTERS = 100_000  # that references put in, all together; a value that is no text counts as one
_MARK = re.compile(r"(?<!\\)(\\*)\$\{(?:([^{}]*)\})?")
_KEY = re.compile(r"[\w+-]+(?:\.[\w+-]+)*")


def merged(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """All values; those of a later layer replace those of earlier ones, except where it leaves them open. The
    layers stay as they were.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        values = _over(values, layer)
    return values


def _over(below: Any, above: Any) -> Any:
    if above == OPEN:
        return below
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _over(below.get(key, OPEN), of) for key, of in above.items()}}


def open_keys(values: Any, where: str = "") -> Iterator[str]:
    """Each key that is left open, as ``data.train`` or ``published[0].value``."""
    if values == OPEN:
        yield where
    for key, value in _entries(values):
        yield from open_keys(value, _below(where, key))


def _entries(values: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(values, dict):
        return values.items()
    return enumerate(values) if isinstance(values, list) else ()


def _below(where: str, key: Any) -> str:
    return f"{where}[{key}]" if isinstance(key, int) else f"{where}.{key}" if where else str(key)


def literal(value: Any) -> Any:
    """The value with each ``${`` in its texts escaped, so that :func:`resolved` gives it back as it is."""
    if isinstance(value, dict):
        return {key: literal(of) for key, of in value.items()}
    if isinstance(value, list):
        return [literal(of) for of in value]
    return _MARK.sub(_with_backslash, value) if isinstance(value, str) else value


def _with_backslash(found: re.Match[str]) -> str:
    return found[1] + "\\" + found[0]


def resolved(values: dict[str, Any]) -> Any:
    """The values, with each ``${section.key}`` replaced: alone, by the value of that key; within a text, by
    that value's text.

    Raises:
        ValueError: any other ``${``, a key that is not there, a value that stands for itself, or too much.
    """
    return _References(values).resolved(values, "", ())


class _References:
    """Values that stand for others among them.

    Args:
        values: all of them.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._left = _MOST_LETTERS

    def resolved(self, value: Any, where: str, steps: tuple[str, ...]) -> Any:
        """What a value at ``where`` stands for; ``steps`` led to it, a level or a reference each."""
        if len(steps) > _MOST_STEPS:
            raise ValueError(f"{where} leads through more than {_MOST_STEPS} other values; write it out")
        if isinstance(value, str):
            return self._put_in(value, where, steps)
        if steps:
            self._count(1, where)
        steps = (*steps, "")
        if isinstance(value, dict):
            return {key: self.resolved(of, _below(where, key), steps) for key, of in value.items()}
        if isinstance(value, list):
            return [self.resolved(of, _below(where, key), steps) for key, of in enumerate(value)]
        return value

    def _put_in(self, text: str, where: str, steps: tuple[str, ...]) -> Any:
        """A text with what its references stand for."""

        def part(found: re.Match[str]) -> str:
            before = found[1]
            backslashes = len(before) // 2 * "\\"
            if len(before) % 2:
                return backslashes + found[0].removeprefix(before)
            value = self._referred(found[2], text, where, steps)
            if isinstance(value, dict | list):
                raise ValueError(f"{where} is {shown(text)}, and {found[2]} is no single value; name one")
            self._count(len(str(value)), where)
            return backslashes + str(value)

        whole = _MARK.fullmatch(text)
        if whole is not None and not whole[1]:
            return self._referred(whole[2], text, where, steps)
        return _MARK.sub(part, text)

    def _referred(self, key: str | None, text: str, where: str, steps: tuple[str, ...]) -> Any:
        """What the key between the braces stands for; ``key`` is None where they are not closed."""
        key = "" if key is None else key.strip()
        if not _KEY.fullmatch(key):
            raise ValueError(
                f"{where} is {shown(text)}; allowed within ${{…}} is another key of the recipe alone, as in "
                "${train.seed}: nothing is read from the environment or computed. Write the value itself, or "
                "\\${ where these letters are meant"
            )
        value: Any = self._values
        for name in key.split("."):
            if not isinstance(value, dict) or name not in value:
                raise ValueError(
                    f"{where} is {shown(text)}, and the recipe does not say {key}; name a key that it has, "
                    "or write the value itself"
                )
            value = value[name]
        if key in steps:
            raise ValueError(f"{where} is {shown(text)}, and {key} stands for itself; write its value")
        self._count(1, where)
        return self.resolved(value, where, (*steps, key))

    def _count(self, amount: int, where: str) -> None:
        self._left -= amount
        if self._left < 0:
            raise ValueError(
                f"{where}: what the recipe's references stand for has more than {_MOST_LETTERS} letters and "
                "values; write less"
            )
