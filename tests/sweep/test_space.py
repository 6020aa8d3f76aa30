"""What a sweep looks through, as it is written on the command line."""

from __future__ import annotations

import pytest

from attcell.errors import CallError
from attcell.sweep.space import Dimension, read_space


def test_ranges_choices_and_single_values_are_told_apart():
    space = read_space(
        [
            "data.train=a,b..c",
            "train.learning_rate=log:1e-4..1e-1",
            "train.momentum=0.5..0.99",
            "train.batch_size=16..64",
            "train.optimizer=sgd, adamw",
            "input.mean=[0.5, 0.5, 0.5]",
            "train.epochs=3",
        ]
    )
    assert space.fixed == ("data.train=a,b..c", "input.mean=[0.5, 0.5, 0.5]", "train.epochs=3")
    rate, momentum, size, optimizer = space.dimensions
    assert rate == Dimension(
        "train.learning_rate", "train.learning_rate=log:1e-4..1e-1", (), 1e-4, 0.1, is_log=True
    )
    assert (momentum.low, momentum.high, momentum.is_log) == (0.5, 0.99, False)
    assert (size.low, size.high) == (16, 64)
    assert isinstance(size.low, int)
    assert optimizer.choices == ("sgd", "adamw")


def test_every_value_is_tried_on_the_recipe_before_anything_is_trained():
    space = read_space(["train.epochs=1..3", "train.optimizer=sgd,adamw", "model.kind=stan"])
    assert space.corners() == [
        {"train.epochs": 1, "train.optimizer": "sgd"},
        {"train.epochs": 3, "train.optimizer": "sgd"},
        {"train.epochs": 1, "train.optimizer": "adamw"},
    ]
    assert space.overrides({"train.epochs": 3}) == ["model.kind=stan", "train.epochs=3"]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["train.epochs=3"], "nothing to look for; give a key with a range or choices, such as train.learn"),
        (["train.epochs=5..3"], "train.epochs=5..3: the first end of a range is below the second"),
        (["train.mixup=log:0..1"], "train.mixup=log:0..1: with log: both ends are above 0"),
        (["train.epochs=a..b"], "train.epochs=a..b is no range of numbers; give LOW..HIGH or log:LOW..HIGH"),
        (["train.epochs=log:3"], "train.epochs=log:3 is no range of numbers"),
        (["train.epochs=3,3"], "train.epochs=3,3: choices are different values, none empty"),
        (["train.epochs=1..3", "train.epochs=4"], "train.epochs is given twice; give one value, one range"),
        (["train.seed=0,1"], "train.seed=0,1: trials are compared on the same validation videos"),
        (["data.val_fraction=0.1..0.3"], "so data.val_fraction is the same for all; give one value"),
        (["a-*:train.epochs=1..3"], "a-*:train.epochs=1..3: a sweep is of one recipe, so a key has no"),
        (["train.epochs"], "override 'train.epochs' is not key=value"),
    ],
)
def test_what_cannot_be_looked_through_is_refused(texts, why):
    with pytest.raises(CallError) as caught:
        read_space(texts)
    assert why in str(caught.value)
