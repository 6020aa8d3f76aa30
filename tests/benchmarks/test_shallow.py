"""The rivals without a network are fitted, and chosen, without the group that they predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks import shallow
from benchmarks.nested import leave_one_out
from benchmarks.shallow import SVMChoice, nested_predictions


@dataclass(frozen=True)
class Spy:
    """A classifier that notes the videos it sees; a video's only feature is its place."""

    calls: list[tuple[str, frozenset[int]]]
    right_on: frozenset[int]
    name: str

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, seed: int) -> Spy:
        return self

    def fit(self, features: np.ndarray, labels: np.ndarray) -> Spy:
        self.calls.append(("fit", frozenset(features[:, 0].astype(int))))
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        places = features[:, 0].astype(int)
        self.calls.append(("predict", frozenset(places)))
        return np.array([place % 3 if place in self.right_on else 9 for place in places])


def made_up(clips) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(clips.groups), dtype=float)[:, None], np.array([r.label for r in clips.records])


def test_what_is_predicted_was_not_fitted_to_and_inner_folds_lack_the_outer_group(clips):
    spy = Spy([], frozenset(), "spy")
    nested_predictions(*made_up(clips), clips.groups, [spy], seeds=[0])
    fits, predictions = ([seen for what, seen in spy.calls if what == word] for word in ("fit", "predict"))
    groups = [({clips.groups[i] for i in fit}, {clips.groups[i] for i in scored})
              for fit, scored in zip(fits, predictions, strict=True)]  # fmt: skip
    assert all(not fitted & scored for fitted, scored in groups)
    calls = iter(groups)
    for fold in leave_one_out(clips.groups):
        inner = [next(calls) for _ in range(4)]
        assert all(fitted | scored == set(clips.groups) - {fold.group} for fitted, scored in inner)
        assert next(calls) == (set(clips.groups) - {fold.group}, {fold.group})


@pytest.mark.parametrize("group", ["ann", "cem", "eve"])
def test_a_fold_is_not_chosen_by_its_own_videos(clips, group):
    own = frozenset(place for place, name in enumerate(clips.groups) if name == group)
    first, second = Spy([], frozenset(), "first"), Spy([], own, "second")
    _, chosen = nested_predictions(*made_up(clips), clips.groups, [first, second], seeds=[0])
    assert [name for name in clips.group_names if "name='first'" in chosen[name]] == [group]


def test_what_can_be_told_apart_is_told_apart(clips):
    labels = made_up(clips)[1]
    features = np.eye(3)[labels] + np.random.default_rng(0).normal(0, 0.05, (len(labels), 3))
    found, made = nested_predictions(features, labels, clips.groups, shallow.SVM_CHOICES, seeds=[0, 1])
    assert found.tolist() == [labels.tolist()] * 2
    assert set(made) == set(clips.groups)
    assert all(name.startswith(SVMChoice.__name__) for name in made.values())
