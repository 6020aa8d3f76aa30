"""AttCell and the attended sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.nn import AttCell, UniformAttention, attended_sum
from attcell.nn.attention import MLP_HIDDEN
from attcell.nn.temporal import TemporalAttention
from tests.nn import reference
from tests.nn.networks import randomised


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 5))
def test_att_cell_is_the_equation(num: int, dim: int, seed: int) -> None:
    cell = randomised(AttCell(dim).double(), seed)
    descriptors = torch.randn(num, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    scores, attention = cell(descriptors)
    weight, bias = cell.score.weight[0].detach().numpy(), cell.score.bias.item()
    expected_scores, expected = reference.att_cell(descriptors.numpy(), weight, bias)
    np.testing.assert_allclose(scores.detach(), expected_scores, atol=1e-9)
    np.testing.assert_allclose(attention.detach(), expected, atol=1e-9)
    assert attention.sum().item() == pytest.approx(1, abs=1e-12)


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 5))
def test_an_mlp_is_the_equation(num: int, dim: int, seed: int) -> None:
    cell = randomised(AttCell(dim, form="mlp").double(), seed)
    descriptors = torch.randn(num, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    scores, attention = cell(descriptors)
    weights = {key: value.numpy() for key, value in cell.state_dict().items()}
    rows = reference.hidden_layer(descriptors.numpy(), weights)
    assert rows.shape == (num, MLP_HIDDEN)
    expected = reference.att_cell(rows, weights["score.weight"][0], weights["score.bias"][0])
    np.testing.assert_allclose(scores.detach(), expected[0], atol=1e-9)
    np.testing.assert_allclose(attention.detach(), expected[1], atol=1e-9)


def test_attention_over_time_by_an_mlp_is_the_equation() -> None:
    temporal = randomised(TemporalAttention(5, hidden=4, form="mlp").double())
    segments = torch.randn(2, 6, 5, dtype=torch.float64)
    scores, attention = temporal(segments)
    weights = {key: value.numpy() for key, value in temporal.lstm.state_dict().items()}
    cell = {key: value.numpy() for key, value in temporal.attention.state_dict().items()}
    for b in range(2):
        rows = reference.hidden_layer(reference.lstm(segments[b].numpy(), weights), cell)
        expected = reference.att_cell(rows, cell["score.weight"][0], cell["score.bias"][0])
        np.testing.assert_allclose(scores[b].detach(), expected[0], atol=1e-9)
        np.testing.assert_allclose(attention[b].detach(), expected[1], atol=1e-9)


@pytest.mark.parametrize("form", ["linear", "mlp"])
def test_att_cell_starts_uniform_and_learns(form: str) -> None:
    cell = AttCell(4, form=form)
    scores, attention = cell(torch.randn(2, 3, 10, 4))
    assert torch.equal(scores, torch.zeros(2, 3, 10))
    torch.testing.assert_close(attention, torch.full((2, 3, 10), 0.1))
    (attention * torch.rand(2, 3, 10)).sum().backward()
    assert cell.score.weight.grad.abs().max() > 0
    assert AttCell(4, form=form, uniform_start=False).score.weight.abs().max() > 0


def test_att_cell_starts_uniform() -> None:
    scores, attention = AttCell(4)(torch.randn(2, 3, 10, 4))
    assert torch.equal(scores, torch.zeros(2, 3, 10))
    torch.testing.assert_close(attention, torch.full((2, 3, 10), 0.1))


def test_the_bias_changes_no_attention_and_gets_no_gradient() -> None:
    cell = randomised(AttCell(4).double())
    descriptors = torch.randn(7, 4, dtype=torch.float64)
    before = cell(descriptors)[1]
    (before * torch.arange(7)).sum().backward()
    assert cell.score.bias.grad.abs().item() < 1e-14
    cell.score.bias.data -= 3
    torch.testing.assert_close(cell(descriptors)[1], before, atol=1e-14, rtol=0)


@pytest.mark.parametrize("form", ["linear", "mlp"])
def test_att_cell_and_sum_gradients(form: str) -> None:
    cell = randomised(AttCell(3, form=form).double())
    descriptors = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)

    def attended(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return attended_sum(cell(x)[1], x)

    fast = form == "mlp"  # of 256 units
    assert torch.autograd.gradcheck(attended, (descriptors, *cell.parameters()), fast_mode=fast)


def test_attended_sum_is_a_weighted_sum() -> None:
    descriptors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]])
    assert attended_sum(torch.tensor([0.5, 0.25, 0.25]), descriptors).tolist() == [1.5, 1.5]


def test_uniform_attention_is_the_mean() -> None:
    descriptors = torch.randn(2, 6, 4)
    scores, attention = UniformAttention()(descriptors)
    assert torch.equal(scores, torch.zeros(2, 6))
    torch.testing.assert_close(attended_sum(attention, descriptors), descriptors.mean(dim=1))
