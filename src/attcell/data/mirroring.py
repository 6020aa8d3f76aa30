"""Which classes a mirror image changes: whether training may mirror its videos, and what becomes of labels.

A mirror image of someone who turns left turns right. So videos are not mirrored where a class's name holds a
direction, unless it is said which class is seen in its mirror image.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attcell.errors import CallError

_OPPOSITES = {
    **{f"left{ending}": f"right{ending}" for ending in ("", "ward", "wards", "hand", "handed")},
    "clockwise": "counterclockwise",
}
_OPPOSITES |= {right: left for left, right in _OPPOSITES.items()}
_OPPOSITES["anticlockwise"] = "clockwise"
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # of turn_left, turn-left, TurnLeft and TURN LEFT
_AGAINST = re.compile(r"(anti|counter)[\W_]*clock[\W_]*wise", re.IGNORECASE)  # written in several words, too


def directional(labels: Sequence[str]) -> tuple[str, ...]:
    """Those of the class names that hold a direction which a mirror image turns round.

    Words count, in any case, also where underscores, hyphens or capitals part them: left and right, alone or
    as in leftwards and right-handed, clockwise, anticlockwise and counterclockwise. ``upright`` is none.
    """
    return tuple(label for label in labels if any(word in _OPPOSITES for word in _words(label)))


def _words(label: str) -> list[str]:
    joined = _AGAINST.sub("counterclockwise", label)
    return [word.lower() for word in _WORD.findall(joined)]


def _seen_in_a_mirror(label: str) -> list[str]:
    """Its words, each direction turned round."""
    return [_OPPOSITES.get(word, word) for word in _words(label)]


@dataclass(frozen=True)
class Mirroring:
    """What a mirror image of a training video is.

    Attributes:
        wanted: False: there are none, neither in training nor among the crops of a test.
        exchanged: class → the class that its mirror image shows; empty where each shows its own.
        told: a sentence that the user should read; "" if there is nothing to say.
    """

    wanted: bool = True
    exchanged: tuple[int, ...] = ()
    told: str = ""

    @property
    def averaged(self) -> Mirroring:
        """For what averages all views of a video, as an SVM does: without those that show another class."""
        return Mirroring(wanted=self.wanted and not self.exchanged)

    def labels(self, labels: tuple[int, ...], *, mirrored: bool) -> tuple[int, ...]:
        """The classes of a view of a video that has these."""
        if not mirrored or not self.exchanged:
            return labels
        return tuple(sorted(self.exchanged[label] for label in labels))


EACH_ITS_OWN = Mirroring()  # mirror images show what their videos do


def find_mirroring(labels: Sequence[str], flip: bool | None, pairs: Mapping[str, str]) -> Mirroring:
    """Whether videos of these classes are mirrored, and which classes that exchanges.

    Args:
        labels: of the classes, in order.
        flip: as the recipe says; None: unless a class's name holds a direction and is in no pair.
        pairs: class → the class that its mirror image shows, and the other way round; a class with itself
            says that a mirror image changes nothing.

    Raises:
        CallError: a pair names what is none of the classes.
    """
    exchanged = _exchanged(labels, pairs)
    open_ones = [label for label in directional(labels) if label not in {*pairs, *pairs.values()}]
    wanted = not open_ones if flip is None else flip
    told = ""
    if open_ones and flip is None:
        told = (
            f"no mirror images in training: a mirror image changes {_named(open_ones)}, by the name. To "
            f"teach from them as well: {_example(labels, open_ones)}; if they change nothing: train.flip=true"
        )
    elif open_ones and flip:
        told = (
            f"train.flip=true teaches mirror images under the same class, and by the name they change "
            f"{_named(open_ones)}: such classes cannot be told apart so. Leave train.flip out, or say what "
            f"they show: {_example(labels, open_ones)}"
        )
    return Mirroring(wanted, exchanged if wanted else (), told)


def _exchanged(labels: Sequence[str], pairs: Mapping[str, str]) -> tuple[int, ...]:
    for name in (name for pair in pairs.items() for name in pair):
        if name not in labels:
            close = difflib.get_close_matches(name, labels, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"allowed: {_named(labels)}"
            raise CallError(
                f"train.flip_pairs names {name!r}, which is none of the {len(labels)} classes; {hint}"
            )
    both = {**pairs, **{other: one for one, other in pairs.items()}}
    exchanged = tuple(labels.index(both.get(label, label)) for label in labels)
    return () if exchanged == tuple(range(len(labels))) else exchanged


def _example(labels: Sequence[str], open_ones: Sequence[str]) -> str:
    """The override that says which class is which one's mirror image, as far as names tell."""
    known = {" ".join(_words(label)): label for label in labels}
    pairs: dict[str, str] = {}
    for label in open_ones:
        other = known.get(" ".join(_seen_in_a_mirror(label)))
        if other is not None and label not in pairs.values():
            pairs[label] = other
    pairs = pairs or {open_ones[0]: "ITS MIRROR IMAGE"}
    inside = ", ".join(f"{_quoted(one)}: {_quoted(other)}" for one, other in list(pairs.items())[:3])
    return f'"train.flip_pairs={{{inside}{", …" if len(pairs) > 3 else ""}}}"'


def _quoted(name: str) -> str:
    """A name as YAML reads it between braces."""
    return name if re.fullmatch(r"[A-Za-z_]\w*( \w+)*", name) else "'" + name.replace("'", "''") + "'"


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(labels[:5]) + more
