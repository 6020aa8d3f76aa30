"""The linear SVM as a network: scikit-learn's margins, on pooled streams and on STAN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from attcell.errors import CallError
from attcell.nn import Average, LinearSVM, Pooled, PooledStream, SVMNetwork, SVMOutput
from tests.nn.networks import passing_backbone, random_maps, small_stan

CHANNELS = {"frame": 2, "flow": 3}


def random_svm(dim: int, num_classes: int = 4) -> LinearSVM:
    svm = LinearSVM(dim, num_classes).double()
    svm.fit(
        mean=torch.randn(dim, dtype=torch.float64),
        deviation=torch.rand(dim, dtype=torch.float64) + 0.5,
        unit_length=False,
        weight=torch.randn(num_classes, dim, dtype=torch.float64),
        bias=torch.randn(num_classes, dtype=torch.float64),
    )
    return svm


@pytest.mark.parametrize("unit_length", [False, True])
def test_margins_are_scikit_learns(unit_length: bool) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(30) % 3
    videos = generator.normal(size=(30, 6)) * generator.uniform(0.1, 10, 6) + labels[:, None]
    videos[:, 2] = 4.0  # never varies
    pipeline = make_pipeline(
        StandardScaler(), *([Normalizer()] if unit_length else []), LinearSVC(C=1.0, dual=False)
    ).fit(videos, labels)
    scaler, solver = pipeline[0], pipeline[-1]
    svm = LinearSVM(6, 3).double()
    svm.fit(
        torch.from_numpy(scaler.mean_),
        torch.from_numpy(np.sqrt(scaler.var_)),  # 0 where nothing varies, as it comes
        unit_length,
        torch.from_numpy(solver.coef_),
        torch.from_numpy(solver.intercept_),
    )
    others = generator.normal(size=(50, 6)) * 5
    found = svm(torch.from_numpy(others)).numpy()
    np.testing.assert_allclose(found, pipeline.decision_function(others), rtol=0, atol=1e-9)


def test_a_representation_that_is_the_mean_stays_finite_at_unit_length() -> None:
    svm = LinearSVM(3, 2)
    svm.fit(torch.ones(3), torch.ones(3), True, torch.ones(2, 3), torch.tensor([0.5, -1.0]))
    assert torch.equal(svm(torch.ones(1, 3)), torch.tensor([[0.5, -1.0]]))


def test_what_was_fitted_is_saved_and_is_no_parameter() -> None:
    svm, other = random_svm(5), LinearSVM(5, 4).double()
    svm.unit_length.fill_(True)
    videos = torch.randn(3, 5, dtype=torch.float64)
    assert torch.equal(other(videos), torch.zeros(3, 4, dtype=torch.float64)), "nothing is known yet"
    other.load_state_dict(svm.state_dict())
    assert torch.equal(other(videos), svm(videos))
    assert list(svm.parameters()) == []


@pytest.mark.parametrize(
    ("dim", "num_classes", "message"),
    [
        (1, 4, "mean of the SVM is (1,); this one takes (5,)"),
        (5, 1, "weight of the SVM is (1, 5); this one takes (4, 5)"),
    ],
)
def test_figures_of_other_sizes_are_refused(dim: int, num_classes: int, message: str) -> None:
    svm = random_svm(5)
    before = {key: value.clone() for key, value in svm.state_dict().items()}
    with pytest.raises(CallError) as caught:
        svm.fit(torch.ones(dim), torch.ones(dim), True, torch.ones(num_classes, dim), torch.ones(num_classes))
    assert str(caught.value) == message
    assert all(torch.equal(value, before[key]) for key, value in svm.state_dict().items())


def on_pooled() -> SVMNetwork:
    streams = {
        name: PooledStream(passing_backbone(width), Average(width)) for name, width in CHANNELS.items()
    }
    return SVMNetwork(Pooled(streams), random_svm(5))


def assert_common(network: SVMNetwork, out: SVMOutput) -> None:
    torch.testing.assert_close(out.logits, network.svm(out.video))
    assert len(out.learnt_logits) == 1
    assert torch.equal(out.learnt_logits[0][:, 0], out.logits)
    assert (out.logits_by_stream, out.temporal_attention_by_stream, out.gates, out.stream_weights) == (
        {},
        {},
        {},
        {},
    )
    assert [network.stream(name).backbone.out_channels for name in CHANNELS] == [2, 3]


def test_on_pooled_streams_there_is_no_attention() -> None:
    network, maps = on_pooled(), random_maps(CHANNELS)
    out = network(maps)
    assert_common(network, out)
    expected = torch.cat([maps[name].mean(dim=(1, 3, 4)) for name in CHANNELS], dim=1)
    torch.testing.assert_close(out.logits, network.svm(expected))
    assert out.spatial_attention == {}
    assert torch.equal(out.temporal_scores, torch.zeros(2, 4, dtype=torch.float64))
    assert torch.equal(out.temporal_attention, torch.full((2, 4), 0.25, dtype=torch.float64))


def test_on_stan_all_its_attention_is_there() -> None:
    stan = small_stan(CHANNELS)
    network, maps = SVMNetwork(stan, random_svm(10)).eval(), random_maps(CHANNELS)
    out, of_stan = network(maps), stan(maps)
    assert_common(network, out)
    torch.testing.assert_close(out.logits, network.svm(of_stan.video))
    for name in ("video", "temporal_scores", "temporal_attention"):
        assert torch.equal(getattr(out, name), getattr(of_stan, name)), name
    assert out.spatial_attention.keys() == of_stan.spatial_attention.keys()
    for name, maps_of_stream in of_stan.spatial_attention.items():
        assert torch.equal(out.spatial_attention[name], maps_of_stream)


def test_kept_maps_give_what_pictures_give() -> None:
    network, pictures = on_pooled(), random_maps(CHANNELS)
    torch.testing.assert_close(
        network.attend(network.feature_maps(pictures)).logits, network(pictures).logits
    )
