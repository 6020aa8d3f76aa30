"""Which class names hold a direction, and what a mirror image of their videos is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.data.mirroring import EACH_ITS_OWN, Mirroring, directional, find_mirroring
from attcell.errors import CallError

TURNS = ("stand", "turn_left", "turn_right")


@pytest.mark.parametrize(
    "name",
    [
        "turn_left", "TurnRight", "SwipeLEFT", "swipe-right", "LEFT", "from left to right", "leftwards",
        "Right-handed throw", "clockwise", "counter-clockwise turn", "Anticlockwise", "counter clock wise",
    ],
)  # fmt: skip
def test_words_for_a_direction(name):
    assert directional(["wave", name]) == (name,)


@pytest.mark.parametrize(
    "name", ["upright", "bright", "cleft", "Wright", "rights", "clock", "wave1", "", "7"]
)
def test_other_words(name):
    assert directional([name]) == ()


def test_without_a_direction_mirror_images_show_their_own_class():
    assert find_mirroring(("run", "upright"), None, {}) == EACH_ITS_OWN
    assert find_mirroring(("run", "upright"), False, {}) == Mirroring(wanted=False)


def test_a_direction_turns_mirror_images_off_and_says_how_to_have_them():
    found = find_mirroring(TURNS, None, {})
    assert (found.wanted, found.exchanged) == (False, ())
    assert found.told == (
        "no mirror images in training: a mirror image changes turn_left, turn_right, by the name. To teach "
        'from them as well: "train.flip_pairs={turn_left: turn_right}"; if they change nothing: '
        "train.flip=true"
    )


def test_forced_on_it_is_said_what_that_means():
    found = find_mirroring(TURNS, True, {})
    assert (found.wanted, found.exchanged) == (True, ())
    assert found.told == (
        "train.flip=true teaches mirror images under the same class, and by the name they change turn_left, "
        "turn_right: such classes cannot be told apart so. Leave train.flip out, or say what they show: "
        '"train.flip_pairs={turn_left: turn_right}"'
    )


@pytest.mark.parametrize("flip", [None, True])
@pytest.mark.parametrize("pairs", [{"turn_left": "turn_right"}, {"turn_right": "turn_left"}])
def test_pairs_exchange_their_classes(flip, pairs):
    assert find_mirroring(TURNS, flip, pairs) == Mirroring(True, (0, 2, 1))


def test_a_class_may_be_its_own_mirror_image():
    labels = ("look left and right", "sit")
    assert not find_mirroring(labels, None, {}).wanted
    assert find_mirroring(labels, None, {labels[0]: labels[0]}) == EACH_ITS_OWN


def test_a_direction_that_is_in_no_pair_turns_mirror_images_off():
    found = find_mirroring((*TURNS, "wave left"), None, {"turn_left": "turn_right"})
    assert (found.wanted, found.exchanged) == (False, ())
    assert "changes wave left, by the name" in found.told
    assert "train.flip_pairs={wave left: ITS MIRROR IMAGE}" in found.told


def test_names_that_yaml_would_read_otherwise_are_quoted():
    told = find_mirroring(("it's left", "it's right"), None, {}).told
    assert "{'it''s left': 'it''s right'}" in told


@pytest.mark.parametrize(
    ("pairs", "hint"),
    [({"turn_left": "turn_rigth"}, "did you mean 'turn_right'?"), ({"x": "stand"}, "allowed: stand, turn_")],
)
def test_pairs_of_no_class_are_refused(pairs, hint):
    with pytest.raises(
        CallError, match=r"train.flip_pairs names '\w+', which is none of the 3 classes"
    ) as said:
        find_mirroring(TURNS, None, pairs)
    assert hint in str(said.value)


@given(st.lists(st.integers(0, 2), max_size=3, unique=True))
def test_a_mirror_image_of_a_mirror_image_has_the_first_classes(labels):
    mirroring = find_mirroring(TURNS, None, {"turn_left": "turn_right"})
    given_ = tuple(sorted(labels))
    assert mirroring.labels(mirroring.labels(given_, mirrored=True), mirrored=True) == given_
    assert mirroring.labels(given_, mirrored=False) == given_
    assert not mirroring.averaged.wanted
    assert EACH_ITS_OWN.averaged.wanted
