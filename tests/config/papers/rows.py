"""Every table and figure of both papers, row by row: what their texts say of it.

This is typed from the texts and not read from the recipes; a test holds the two against each other. What a
text does not say is one of the readings of docs/readings.md, and stands here with the word *reading*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, Any]  # a recipe's key, as in train.batch_size → its value
Published = tuple[tuple[str, float | None], ...]  # metric and value in percent; None: our copy has lost it


@dataclass(frozen=True)
class Row:
    """A row of a table, or a part of a figure.

    Attributes:
        name: what the paper calls it.
        recipe: the row of the packaged table that runs it; "" where there is none.
        settings: what the recipe must say.
        published: the paper's values.
        why: where there is no recipe, why; or ``as`` and what gives the same.
    """

    name: str
    recipe: str = ""
    settings: Settings = field(default_factory=dict)
    published: Published = ()
    why: str = ""


@dataclass(frozen=True)
class Table:
    """A table or a figure of a paper.

    Attributes:
        title: such as ``Table I``.
        about: what it shows, and what the text says of how.
        file: the packaged table; "" where there is none.
        rows: its rows.
        command: what gives it, where that is no run of ``attcell protocol``.
    """

    title: str
    about: str
    file: str = ""
    rows: tuple[Row, ...] = ()
    command: str = ""


def network(streams: str, **keys: Any) -> Settings:
    """The streams of a network, separated by spaces, and keys of the model section."""
    return {"model.streams": tuple(streams.split()), **{f"model.{key}": value for key, value in keys.items()}}


# IV: "stochastic gradient descent with 0.9 momentum and the mini-batch size is set to 128. The learning
# rate is initialized as 10^-3 and decreases to its 1/10 every 4,000 iterations. The whole training
# procedure stops at 15,000 iterations."
STAN_TRAINING: Settings = {
    "train.optimizer": "sgd",
    "train.momentum": 0.9,
    "train.batch_size": 128,
    "train.learning_rate": 1e-3,
    "train.schedule": "step",
    "train.step_iterations": 4000,
    "train.iterations": 15000,
    "train.epochs": None,
    "train.loss": "softmax",
    "train.weight_decay": 0.0,  # reading
}

# Packaged tables of which no row is a paper's, and packaged recipes that are of no table.
OF_NO_PAPER = (
    "modern/dinov2", "modern/mvit", "modern/sound", "modern/videomae", "ccv-sound", "weizmann", "san-vgg16",
    "stan-small", "stan-vgg16", "tan", "tan-stage-cnn", "your-videos",
)  # fmt: skip
