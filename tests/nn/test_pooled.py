"""Pooled streams side by side."""

from __future__ import annotations

import pytest
import torch

from attcell.nn import Average, Flat, Normalise, Pooled, PooledStream, build_backbone
from tests.nn.networks import passing_backbone, random_maps

CHANNELS = {"frame": 2, "flow": 3}


def pooled() -> Pooled:
    return Pooled(
        {
            "frame": PooledStream(passing_backbone(2), Average(2)),
            "flow": PooledStream(passing_backbone(3), Flat(3, 5)),
        }
    )


def test_representations_are_side_by_side_in_the_order_of_the_streams() -> None:
    network, maps = pooled(), random_maps(CHANNELS)
    out = network(maps)
    assert network.dim == 2 + 75
    assert [network.stream(name).dim for name in CHANNELS] == [2, 75]
    expected = [maps["frame"].mean(dim=(1, 3, 4)), maps["flow"].mean(dim=1).flatten(1)]
    torch.testing.assert_close(out.video, torch.cat(expected, dim=1))
    for name, one in zip(CHANNELS, expected, strict=True):
        torch.testing.assert_close(network.stream(name)(maps[name]), one)
    reordered = network.attend({name: maps[name] for name in reversed(CHANNELS)})
    assert torch.equal(reordered.video, out.video)


@pytest.mark.parametrize("segments", [1, 4])
def test_there_is_no_attention(segments: int) -> None:
    out = pooled()(random_maps(CHANNELS, segments=segments))
    assert out.spatial_attention == {}
    assert torch.equal(out.temporal_scores, torch.zeros(2, segments, dtype=torch.float64))
    assert torch.equal(out.temporal_attention, torch.full((2, segments), 1 / segments, dtype=torch.float64))


@pytest.mark.parametrize(("name", "shape"), [("small", (3, 32, 32)), ("small3d", (3, 8, 32, 32))])
def test_pictures_and_clips_are_normalised_first(name: str, shape: tuple[int, ...]) -> None:
    backbone = build_backbone(name).eval()
    normalise = Normalise([100.0, 110.0, 120.0], [50.0, 60.0, 70.0])
    network = Pooled({"frame": PooledStream(backbone, Average(128), normalise=normalise)})
    pictures = torch.randint(0, 256, (2, 3, *shape), dtype=torch.uint8)
    with torch.inference_mode():
        maps = network.feature_maps({"frame": pictures})["frame"]
        expected = backbone(normalise(pictures.flatten(0, 1))).unflatten(0, (2, 3))
        torch.testing.assert_close(maps, expected)
        torch.testing.assert_close(network({"frame": pictures}).video, expected.mean(dim=(1, 3, 4)))


def test_streams_may_have_other_numbers_of_segments_than_each_other() -> None:
    maps = {**random_maps({"frame": 2}, segments=4), **random_maps({"flow": 3}, segments=2)}
    out = pooled()(maps)
    assert out.num_segments == 4
    assert out.video.shape == (2, 77)
