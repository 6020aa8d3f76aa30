"""YAML of whoever sent it: plain values, and no more of them than a recipe can have.

A few lines of aliases stand for more values than any memory holds, once something goes through them. So they
are counted as if each alias were written out, before anything is made of them.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import Node, SafeLoader

_MOST_VALUES, _MOST_LEVELS = 100_000, 50


@lru_cache(maxsize=64)
def parsed_yaml(text: str) -> Any:
    """The values of a YAML text, to be read only: the rows of a table have files in common.

    Raises:
        ValueError: too many values or levels, or a value that is part of itself.
        yaml.YAMLError: it is no YAML, or asks for more than plain values.
    """
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measured(node, {})
        return loader.construct_document(node)
    except RecursionError as error:
        raise _too_deep() from error
    finally:
        loader.dispose()


@cache
def _loader() -> type[SafeLoader]:
    """PyYAML's loader of plain values. It reads 1e-3 as a number, as YAML 1.2 does, and a date as text, as
    recipes have no dates.
    """
    from yaml import SafeLoader

    class Loader(SafeLoader):
        """With more numbers."""

    number = re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    Loader.yaml_implicit_resolvers = {
        letter: [(tag, fits) for tag, fits in of if tag != "tag:yaml.org,2002:timestamp"]
        for letter, of in Loader.yaml_implicit_resolvers.items()
    }
    return Loader


def _measured(node: Node, known: dict[Node, tuple[int, int] | None]) -> tuple[int, int]:
    """How many values and levels a part of a text stands for; ``known`` has those of what came before it."""
    from yaml import CollectionNode

    if node in known:
        measured = known[node]
        if measured is None:
            raise ValueError("a value is part of itself, by an alias; write it out")
        return measured
    known[node] = None
    values, levels = 1, 1
    for entry in node.value if isinstance(node, CollectionNode) else ():
        for part in entry if isinstance(entry, tuple) else (entry,):
            more, deep = _measured(part, known)
            values, levels = values + more, max(levels, deep + 1)
    if values > _MOST_VALUES:
        raise ValueError(f"it stands for more than {_MOST_VALUES} values, by its aliases too; write less")
    if levels > _MOST_LEVELS:
        raise _too_deep()
    known[node] = values, levels
    return values, levels


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {_MOST_LEVELS} levels deep; a recipe has a few")
