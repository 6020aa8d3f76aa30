"""Grad-CAM against its equation with gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.nn.explain import Curve, grad_cam
from tests.nn.networks import random_maps, small_stan

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
