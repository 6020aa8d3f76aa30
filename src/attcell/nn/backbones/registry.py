"""The registry of backbones: CNNs that turn a picture or a clip into a feature map.

Everything about a backbone is in its one :class:`BackboneEntry`. :func:`register` adds one of your own::

    def build(tap: str, in_channels: int) -> Built:
        return Built(my_layers(in_channels), out_channels=64)

    register(BackboneEntry(name="mine", taps=("last",), build=build))

Nothing is loaded here: a backbone is built with random weights, and its entry says where others are.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from attcell.errors import AttcellError, CallError
from attcell.nn.backbones.backbone import Backbone
from attcell.nn.backbones.entry import BackboneEntry, Built

# What features that were computed elsewhere go through: nothing is left to compute.
GIVEN = BackboneEntry(
    name="given", taps=("rows",), build=lambda _, channels: Built(nn.Identity(), channels), takes="features"
)
_ENTRIES: dict[str, BackboneEntry] = {}
_FAMILIES: dict[str, Callable[[str], BackboneEntry]] = {}


def register(entry: BackboneEntry) -> None:
    """Make a backbone known under its name: recipes and :func:`build_backbone` take it from then on.

    Raises:
        CallError: another backbone has this name, the name has a slash, or there is no tap.
    """
    if _ENTRIES.get(entry.name, entry) is not entry:
        raise CallError(
            f"there is a backbone {entry.name} already; choose a name that is none of {', '.join(_ENTRIES)}"
        )
    if "/" in entry.name:
        raise CallError(
            f"the backbone's name {entry.name!r} has a slash, as the models of a family such as timm/NAME "
            "have; choose one without"
        )
    if not entry.taps:
        raise CallError(f"backbone {entry.name} has no taps; name at least one layer, the default first")
    _ENTRIES[entry.name] = entry


def register_family(prefix: str, entry: Callable[[str], BackboneEntry]) -> None:
    """Make every ``prefix/NAME`` a backbone whose entry is made from NAME when it is asked for."""
    _FAMILIES[prefix] = entry


def backbone_entry(name: str) -> BackboneEntry:
    """The entry of a backbone.

    Args:
        name: one that is registered; a family's, such as ``timm/NAME``; or ``mypackage.module:build``.

    Raises:
        CallError: no such backbone.
    """
    if ":" in name:
        return _own_entry(name)
    family, slash, of_family = name.partition("/")
    if slash and family in _FAMILIES:
        return _FAMILIES[family](of_family)
    if name not in _ENTRIES:
        close = difflib.get_close_matches(name, _ENTRIES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        families = [f"{prefix}/NAME" for prefix in _FAMILIES]
        allowed = [*_ENTRIES, *families, "mypackage.module:build"]
        raise CallError(f"unknown backbone {name!r}{hint} Allowed: {', '.join(allowed)}")
    return _ENTRIES[name]


def _own_entry(path: str) -> BackboneEntry:
    """The entry at a Python path: one, or what a function that gives a :class:`Built` builds.

    A recipe may come from a stranger's model, so no function is called that does not say so.
    """
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise CallError(
            f"backbone {path}: {module_name} cannot be imported ({type(error).__name__}: {error}); install "
            "it, or put its folder on PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:  # whatever a user's module raises
        raise CallError(
            f"backbone {path}: importing {module_name} fails ({type(error).__name__}: {error}); mend it"
        ) from error
    if isinstance(found, BackboneEntry):
        return replace(found, name=path)
    returned = getattr(found, "__annotations__", {}).get("return")
    is_builder = returned is Built or str(returned).rpartition(".")[2] == Built.__name__
    if is_builder and callable(found):
        return BackboneEntry(name=path, taps=("last",), build=partial(_own, path, found), more_taps=True)
    what = f"has no {name}" if found is None else f"has a {type(found).__name__} of that name"
    raise CallError(
        f"backbone {path}: {module_name} {what}; give a BackboneEntry, or a function "
        "build(tap, in_channels) -> Built, both of attcell.nn.backbones"
    )


def _own(path: str, build: Callable[[str, int], Any], tap: str, in_channels: int) -> Built:
    """What a user's function builds."""
    try:
        built = build(tap, in_channels)
    except AttcellError:
        raise
    except Exception as error:  # whatever it raises
        raise CallError(
            f"backbone {path}: build({tap!r}, {in_channels}) fails ({type(error).__name__}: {error}); mend it"
        ) from error
    if not isinstance(built, Built):
        raise CallError(
            f"backbone {path}: build({tap!r}, {in_channels}) gives a {type(built).__name__}; it must give a "
            "Built of attcell.nn.backbones"
        )
    return built


def build_backbone(
    name: str | BackboneEntry,
    tap: str | None = None,
    in_channels: int = 3,
    size: int | None = None,
    *,
    keeps_time: bool = False,
) -> Backbone:
    """The backbone of this name, with random weights.

    Args:
        name: one of :func:`backbone_names`, ``timm/NAME`` for any timm model that gives a feature map,
            ``mypackage.module:build``; or an entry.
        tap: the layer to take the map from; by default the first that its entry names.
        in_channels: of its input; of a network for clips always 3.
        size: the side of its pictures, in pixels; by default its own.
        keeps_time: keep each step of time of its maps, where they have several.

    Raises:
        CallError: no such backbone or tap, or another number of channels or size than it can take.
    """
    entry = backbone_entry(name) if isinstance(name, str) else name
    name = entry.name
    if size is not None and size != entry.size and entry.at_size is not None:
        entry = entry.at_size(size)
    tap = entry.taps[0] if tap is None else tap
    if tap not in entry.taps and not entry.more_taps:
        raise CallError(f"backbone {name} has no tap {tap!r}; allowed: {', '.join(entry.taps)}")
    if entry.in_channels not in (None, in_channels):
        raise CallError(
            f"backbone {name} looks at {entry.takes}s of {entry.in_channels} channels, not of {in_channels}"
        )
    if keeps_time and entry.gives == "regions":
        raise CallError(f"backbone {name} gives maps without a dimension of time; leave time out")
    return Backbone(entry, tap, in_channels, keeps_time=keeps_time)


def backbone_names() -> list[str]:
    """The backbones that are registered by a name of their own; families such as timm's come on top."""
    return list(_ENTRIES)


def backbone_taps(name: str) -> tuple[str, ...]:
    """The layers of a backbone that a map can be taken from, the default first; none where it is not one of
    :func:`backbone_names`."""
    return _ENTRIES[name].taps if name in _ENTRIES else ()
