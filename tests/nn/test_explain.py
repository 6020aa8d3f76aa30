"""Grad-CAM against its equation; deletion and insertion where the evidence is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attcell.nn import STAN, Stream
from attcell.nn.explain import ORDERS, STEPS, Curve, deletion_insertion, grad_cam, integrated_gradients
from attcell.nn.streams import Normalise
from tests.nn.networks import passing_backbone, random_maps, small_stan

CHANNELS = {"frame": 3, "flow": 2}


def test_grad_cam_is_the_equation() -> None:
    network, maps = small_stan(CHANNELS).eval(), random_maps(CHANNELS, videos=1, segments=2)
    found = grad_cam(network, maps, 1)
    with torch.no_grad():
        local = {name: network.stream(name).descriptors(of) for name, of in maps.items()}
        for name, features in local.items():
            gradient = torch.zeros_like(features)
            for place in np.ndindex(*features.shape):
                logits = []
                for step in (1e-6, -1e-6):
                    moved = features.clone()
                    moved[place] += step
                    encoded = network.attention_pool({**local, name: moved})
                    logits.append(network.decide([encoded]).logits[0, 1])
                gradient[place] = (logits[0] - logits[1]) / 2e-6
            for t in range(2):
                weights = [gradient[0, t, c].mean() for c in range(features.shape[2])]
                summed = sum(w * features[0, t, c] for c, w in enumerate(weights))
                torch.testing.assert_close(found[name][0, t], summed.clamp(min=0), atol=1e-7, rtol=1e-5)


def test_integrated_gradients_add_up_to_what_the_class_gains_from_nothing() -> None:
    network, maps = small_stan(CHANNELS).eval(), random_maps(CHANNELS, videos=2, segments=3)
    with torch.no_grad():
        local = {name: network.stream(name).descriptors(of) for name, of in maps.items()}
        empty = {name: torch.zeros_like(of) for name, of in local.items()}
        seen, nothing = (network.decide([network.attention_pool(of)]).logits[:, 1] for of in (local, empty))
    found = integrated_gradients(network, maps, 1, steps=400)
    assert {name: of.shape[:2] for name, of in found.items()} == dict.fromkeys(CHANNELS, (2, 3))
    total = sum(of.sum(dim=(1, 2, 3)) for of in found.values())
    torch.testing.assert_close(total, seen - nothing, atol=1e-6, rtol=1e-4)


def test_integrated_gradients_of_a_linear_score_are_its_summands() -> None:
    """Where attention is even and does not move, they are the evidence by class."""
    network, maps = small_stan(CHANNELS).eval(), random_maps(CHANNELS, videos=1, segments=2)
    with torch.no_grad():
        for name in CHANNELS:
            for parameter in network.stream(name).attention.parameters():
                parameter.zero_()
        for parameter in network.temporal.parameters():
            parameter.zero_()
        evidence = network.decide([network.encode_with_evidence(maps)]).evidence
    assert evidence is not None
    for name, of in integrated_gradients(network, maps, 2, steps=2).items():
        torch.testing.assert_close(of, evidence.regions[name][:, :, 2])


def test_maps_over_time_and_frequency_stay_so() -> None:
    """Of sound, rows are no steps of regions that lie below each other."""
    network = small_stan({"audio": 3}).eval()
    maps = {"audio": random_maps({"audio": 3}, videos=1, segments=2)["audio"][..., :2]}
    assert grad_cam(network, maps, 0)["audio"].shape == (1, 2, *maps["audio"].shape[-2:])


def test_the_network_is_left_as_it_was() -> None:
    network, maps = small_stan(CHANNELS).eval(), random_maps(CHANNELS, videos=1, segments=2)
    grad_cam(network, maps, 0)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.training


@pytest.mark.parametrize(
    ("probabilities", "area"), [(np.full(11, 0.25), 0.25), ([0.0, 1.0], 0.5), ([1.0, 0.0, 0.0], 0.25)]
)
def test_the_area_under_a_curve_is_its_mean_height(probabilities, area):
    curve = Curve("regions", "deletion", "attention", np.array(probabilities))
    assert curve.area == pytest.approx(area)


SEGMENT, PLACE = 2, (1, 3)
T, K = 4, 5


def knowing_network() -> STAN:
    """Class 1 is a bright region; the spatial and the temporal attention both look for brightness."""
    stream = Stream(passing_backbone(1), 1, normalise=Normalise([10.0], [1.0]))
    network = STAN({"frame": stream}, 2, lstm_hidden=1, dropout=0.0).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        stream.conv6.weight[0, 0, 1, 1] = 1.0
        stream.attention.score.weight.fill_(2.0)
        lstm = network.temporal.lstm
        lstm.weight_ih_l0[2] = 1.0  # the cell's candidate: tanh of what is seen now
        lstm.bias_ih_l0[:] = torch.tensor([5.0, -5.0, 0.0, 5.0])  # let all in, forget, give all out
        network.temporal.attention.score.weight.fill_(8.0)
        network.classifier.weight[:] = torch.tensor([[-3.0], [3.0]])
        network.classifier.bias[:] = torch.tensor([1.5, -1.5])
    return network


def bright_video() -> Tensor:
    pictures = torch.full((T, 1, K, K), 10, dtype=torch.uint8)
    pictures[SEGMENT, 0, PLACE[0], PLACE[1]] = 14
    return pictures


def curves(seed: int = 0) -> dict[tuple[str, str, str], Curve]:
    found = deletion_insertion(knowing_network(), {"frame": bright_video()}, np.random.default_rng(seed))
    return {(curve.what, curve.way, curve.order): curve for curve in found}


def test_all_curves_are_there_and_end_where_they_should() -> None:
    found = curves()
    assert len(found) == 2 * 2 * len(ORDERS)
    whole = found["regions", "deletion", "attention"].probabilities[0]
    assert whole > 0.9
    for (what, way, _), curve in found.items():
        assert len(curve.probabilities) == (STEPS + 1 if what == "regions" else T)
        full = curve.probabilities[0 if way == "deletion" else -1]
        assert full == pytest.approx(whole, abs=1e-6)
        if what == "regions":  # nothing is left, or nothing is there yet
            nothing = curve.probabilities[-1 if way == "deletion" else 0]
            assert nothing == pytest.approx(1 / (1 + np.exp(3.0)), abs=1e-6)


def test_one_step_takes_away_or_gives_what_attention_looks_at() -> None:
    found = curves()
    for what in ("regions", "segments"):
        for order in ("attention", "evidence", "Grad-CAM", "integrated gradients"):
            assert found[what, "deletion", order].probabilities[1] < 0.1, (what, order)
            first = found[what, "insertion", order].probabilities[1 if what == "regions" else 0]
            assert first > 0.9, (what, order)


def test_chance_is_slower_on_average() -> None:
    of_seeds = [curves(seed) for seed in range(12)]
    for what in ("regions", "segments"):
        for way, sign in (("deletion", 1), ("insertion", -1)):
            random = np.mean([found[what, way, "random"].area for found in of_seeds])
            assert sign * (random - of_seeds[0][what, way, "attention"].area) > 0.1, (what, way)
