"""The small set: few trimmed videos of more classes, and what CNNs and a TAN bring that learnt from more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attcell.config import Recipe, check_recipe
from attcell.reproduce.networks import (
    SMALL_SET,
    STREAMS,
    Network,
    cnn_recipe,
    network_recipe,
    on_trimmed,
)
from attcell.reproduce.videos import Videos

NUM_CLASSES = 10  # five of them are among the large set's six
BATCH = 4  # few videos: more steps from each pass over them
LARGE = Network("TAN of the large set", "tan")
NO_STAGE = Network("TAN without a stage", "tan")
OWN_CNNS = Network("TAN on its own CNNs", "tan")
LARGE_CNNS = Network("TAN on the large set's CNNs", "tan")
LARGE_TAN = Network("TAN begun as the large set's", "tan")


def small_cnn_recipes(small: Videos, epochs: int) -> list[Recipe]:
    """The CNN stage on the small set."""
    return [cnn_recipe(small_cnn(stream), small, stream, epochs, batch_size=BATCH) for stream in STREAMS]


def small_cnn(stream: str) -> str:
    """The name of a stream's CNN that learnt from the small set."""
    return f"small-cnn-{stream}"


def first_recipes(
    small: Videos, large: Videos, cnns: Mapping[str, Path], features: Path, epochs: tuple[int, int]
) -> dict[str, Recipe]:
    """Name → what stands on nothing but CNNs: STAN and its rivals, the large set's TAN, TAN from nothing.

    Args:
        small: the small set.
        large: the set that the CNNs learnt from.
        cnns: stream → the model folder of the large set's CNN.
        features: where feature maps are kept.
        epochs: of the CNN stage, and of a network after it.
    """
    on_cnns = {network.name: _on(small, network, cnns, features, epochs[1]) for network in SMALL_SET}
    large_tan = on_trimmed(network_recipe(LARGE, large, cnns, features, epochs[1]))
    return {NO_STAGE.name: _without_stage(small, sum(epochs)), LARGE.name: large_tan, **on_cnns}


def later_recipes(
    small: Videos,
    small_cnns: Mapping[str, Path],
    large_cnns: Mapping[str, Path],
    large_tan: Path,
    features: Path,
    epochs: int,
) -> dict[str, Recipe]:
    """Name → TAN on the small set, with something that was trained before.

    Args:
        small: the small set.
        small_cnns: stream → the model folder of its CNN, trained on the small set.
        large_cnns: the same of the large set.
        large_tan: the model folder of the large set's TAN.
        features: where feature maps are kept.
        epochs: over the small set.
    """
    begun = _on(small, LARGE_TAN, large_cnns, features, epochs).model_dump(mode="json")
    begun["model"]["begin_with"] = str(large_tan)
    for stream in begun["model"]["streams"].values():
        del stream["weights"]  # its CNNs are the large set's too
    return {
        OWN_CNNS.name: _on(small, OWN_CNNS, small_cnns, features, epochs),
        LARGE_CNNS.name: _on(small, LARGE_CNNS, large_cnns, features, epochs),
        LARGE_TAN.name: check_recipe(begun, source="the suite's recipe"),
    }


def _on(small: Videos, network: Network, cnns: Mapping[str, Path], features: Path, epochs: int) -> Recipe:
    return on_trimmed(network_recipe(network, small, cnns, features, epochs), BATCH)


def _without_stage(small: Videos, epochs: int) -> Recipe:
    """TAN all at once and from nothing: nothing is frozen, and nothing is kept."""
    nothing = dict.fromkeys(STREAMS, Path("none"))
    values = _on(small, NO_STAGE, nothing, Path("none"), epochs).model_dump(mode="json")
    values["cache"] = {}
    for stream in values["model"]["streams"].values():
        stream.update(weights="none", train_from="all", standardise=False)
    return check_recipe(values, source="the suite's recipe")
