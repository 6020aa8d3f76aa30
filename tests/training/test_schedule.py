"""How long training lasts, where it pauses, and how the learning rate goes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.config.train_section import TrainSection
from attcell.training.schedule import build_optimizer, build_schedule, num_iterations, periods


def section(**values: object) -> TrainSection:
    return TrainSection.model_validate({"iterations": 10, **values})


def rates(values: TrainSection, iterations: int) -> list[float]:
    """The learning rate of each iteration."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = build_optimizer(values, [weight])
    schedule = build_schedule(values, optimizer, iterations)
    found = []
    for _ in range(iterations):
        found.append(optimizer.param_groups[0]["lr"])
        weight.grad = torch.ones(1)
        optimizer.step()
        schedule.step()
    return found


def test_iterations_are_taken_as_they_are():
    assert num_iterations(section(iterations=15000), num_videos=3) == 15000


@given(st.integers(1, 50), st.integers(1, 1000), st.integers(1, 300))
def test_epochs_cover_the_videos(epochs, num_videos, batch_size):
    found = num_iterations(section(iterations=None, epochs=epochs, batch_size=batch_size), num_videos)
    assert (found - 1) * batch_size < epochs * num_videos <= found * batch_size


@given(st.integers(1, 500), st.integers(1, 120))
def test_periods_are_all_iterations_in_order(iterations, every):
    found = periods(iterations, every)
    assert [number for one in found for number in one] == list(range(iterations))
    assert all(len(one) == every for one in found[:-1])
    assert 1 <= len(found[-1]) <= every


def test_the_papers_steps():
    found = rates(section(schedule="step", step_iterations=4, learning_rate=1e-3), 10)
    assert found == pytest.approx([1e-3] * 4 + [1e-4] * 4 + [1e-5] * 2)


def test_a_constant_rate():
    assert rates(section(schedule="constant", learning_rate=0.5), 10) == [0.5] * 10


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_one_cycle_rises_to_the_rate_and_falls_to_nothing(optimizer):
    found = rates(section(schedule="onecycle", learning_rate=0.1, optimizer=optimizer), 40)
    assert max(found) == pytest.approx(0.1, rel=0.01)
    assert found[0] < 0.01
    assert found[-1] < 1e-3
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


def test_one_iteration_is_enough_for_one_cycle():
    assert len(rates(section(schedule="onecycle"), 1)) == 1


def test_optimizers_have_the_recipes_numbers():
    weights = [torch.nn.Parameter(torch.zeros(1))]
    values = section(optimizer="sgd", momentum=0.8, weight_decay=0.01, learning_rate=0.3)
    sgd = build_optimizer(values, weights)
    assert isinstance(sgd, torch.optim.SGD)
    found = sgd.param_groups[0]
    assert (found["lr"], found["momentum"], found["weight_decay"]) == (0.3, 0.8, 0.01)
    adamw = build_optimizer(section(optimizer="adamw", weight_decay=0.01), weights)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["weight_decay"] == 0.01
