"""From a recipe to a network: what does not go together is refused."""

from __future__ import annotations

import pytest

from attcell.errors import CallError
from attcell.models.build import build_network
from tests.small_models import recipe_of

OTHER = {"size": 32, "short_side": 36, "mean": [0.5, 0.5, 0.5]}


def network(folder, name, backbone, **sections):
    streams = {name: {"backbone": backbone, "weights": "none", "conv6_channels": 4}}
    return build_network(recipe_of(folder, model={"streams": streams}, **sections), 3, load_weights=False)


@pytest.mark.parametrize(
    ("stream", "backbone", "message"),
    [
        ("frame", "small3d", "the frame stream's backbone is small3d, which takes a clip, not a picture; "),
        ("clip", "small", "the clip stream's backbone is small, which takes a picture, not a clip; "),
    ],
)
def test_a_backbone_that_takes_something_else(tmp_path, stream, backbone, message):
    with pytest.raises(CallError, match=message + "for clips choose one such as c3d"):
        network(tmp_path, stream, backbone)


@pytest.mark.parametrize(
    ("stream", "backbone"), [("clip", "c3d"), ("clip", "r3d_18"), ("frame", "googlenet")]
)
def test_colours_around_other_means_where_the_network_undoes_imagenets(tmp_path, stream, backbone):
    expected = rf"input\.mean \[0\.5, 0\.5, 0\.5\] .* are not ImageNet's, from which {backbone} brings"
    with pytest.raises(CallError, match=expected):
        network(tmp_path, stream, backbone, input=OTHER)
    assert network(tmp_path, stream, backbone) is not None


@pytest.mark.parametrize(("stream", "backbone"), [("frame", "small"), ("flow", "googlenet")])
def test_other_networks_take_any_mean(tmp_path, stream, backbone):
    assert network(tmp_path, stream, backbone, input=OTHER) is not None
