"""One family of exceptions.

A message says what was given, what is allowed, and what to do next. The command line prints the message
alone, without a traceback, and ends with the exception's ``exit_status``.
"""

from __future__ import annotations

from collections.abc import Sequence


class AttcellError(Exception):
    """Something that the person who called can understand and mend. Every error of attcell is one."""

    exit_status = 1

    def __init__(self, message: str = "") -> None:
        super().__init__("\n".join(map(_without_middle, str(message).split("\n"))))


class CallError(AttcellError):
    """The call itself was wrong: an unknown option, recipe key, backbone, label or model folder."""

    exit_status = 2


class VideoError(AttcellError):
    """A video that cannot be read, or not in the way that was asked for."""


class DataError(AttcellError):
    """An annotation file, a folder of videos or a feature cache that is not what it should be."""


class ModelError(AttcellError):
    """A weights file or a model folder that does not fit."""


class TrainingError(AttcellError):
    """Training cannot go on, for example because the loss is not a number."""


def installing(extra: str) -> str:
    """How an extra of attcell is installed: advice, in a message."""
    return f"pip install 'attcell[{extra}]', or uv sync --extra {extra} in a clone"


_MOST_LETTERS = 2000  # of a line of a message; what was given may be as long as a file


def _without_middle(line: str) -> str:
    if len(line) <= _MOST_LETTERS:
        return line
    half = _MOST_LETTERS // 2 - 50
    return f"{line[:half]} … ({len(line) - 2 * half} letters) … {line[-half:]}"


def first_lines(messages: Sequence[str], most: int = 10) -> list[str]:
    """The first of many messages, each a line of its own, and how many more there are."""
    lines = [f"  {message}" for message in messages[:most]]
    left = len(messages) - len(lines)
    return [*lines, f"  and {left} more"] if left else lines
