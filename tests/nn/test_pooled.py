"""Pooled streams side by side; the poolings against plain loops, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from attcell.errors import CallError
from attcell.nn import (
    FC6,
    VLAD,
    Average,
    Backbone,
    Flat,
    Normalise,
    Pooled,
    PooledStream,
    Pooling,
    PoolingKind,
    build_backbone,
    build_pooling,
)
from attcell.nn.pooled import regions_of_maps
from tests.nn import reference_pooled as reference
from tests.nn.networks import passing_backbone, random_maps, randomised

CHANNELS = {"frame": 2, "flow": 3}


def pooled() -> Pooled:
    return Pooled(
        {
            "frame": PooledStream(passing_backbone(2), Average(2)),
            "flow": PooledStream(passing_backbone(3), Flat(3, (5, 5))),
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


Reference = Callable[[np.ndarray], np.ndarray]
SIZES = {"videos": st.integers(1, 3), "segments": st.integers(1, 4), "side": st.integers(1, 4)}


def of_size(videos: int, segments: int, side: int, channels: int = 3) -> Tensor:
    return torch.randn(videos, segments, channels, side, side, dtype=torch.float64)


def fitted_vlad(channels: int = 3, dims: int = 2, centres: int = 4, seed: int = 0) -> VLAD:
    generator = torch.Generator().manual_seed(seed)
    vlad = VLAD(channels, dims, centres).double()
    shapes = [(channels,), (dims, channels), (centres, dims)]
    vlad.fit(*(torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes))
    return vlad


def average(side: int) -> tuple[Pooling, Reference]:
    return Average(3), reference.average


def flat(side: int) -> tuple[Pooling, Reference]:
    return Flat(3, (side, side)), reference.flat


def fully_connected(side: int) -> tuple[Pooling, Reference]:
    layer = nn.Linear(3 * side**2, 5).double()
    randomised(layer)
    weight, bias = (value.numpy() for value in layer.state_dict().values())
    return FC6("it", layer, side, "fc6"), lambda maps: reference.fully_connected(maps, weight, bias)


def one_by_one(side: int) -> tuple[Pooling, Reference]:
    layer = nn.Conv2d(3, 5, 1).double()
    randomised(layer)
    weight, bias = (value.numpy() for value in layer.state_dict().values())
    return FC6("it", layer, None, "c"), lambda maps: reference.one_by_one(maps, weight, bias)


def vlad(side: int) -> tuple[Pooling, Reference]:
    pooling = fitted_vlad()
    state = [value.numpy() for value in pooling.state_dict().values()]
    return pooling, lambda maps: reference.vlad(maps, *state)


@pytest.mark.parametrize("make", [average, flat, fully_connected, one_by_one, vlad])
@settings(max_examples=15, deadline=None)
@given(**SIZES)
def test_it_is_what_plain_loops_compute(
    make: Callable[[int], tuple[Pooling, Reference]], videos: int, segments: int, side: int
) -> None:
    pooling, expected = make(side)
    maps = of_size(videos, segments, side)
    found = pooling(maps).detach()
    assert found.shape == (videos, pooling.dim)
    for row, video in zip(found, maps, strict=True):
        np.testing.assert_allclose(row, expected(video.numpy()), rtol=0, atol=1e-9)


def test_vlad_is_of_length_1_and_knows_no_order() -> None:
    pooling = fitted_vlad()
    maps = of_size(2, 4, 3)
    found = pooling(maps)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2, dtype=torch.float64))
    order = torch.randperm(4)
    torch.testing.assert_close(pooling(maps[:, order].transpose(-1, -2)), found)


def test_vlad_of_centres_alone_is_zero() -> None:
    pooling = VLAD(2, 2, 2)
    pooling.fit(torch.zeros(2), torch.eye(2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    maps = torch.tensor([1.0, 2.0])[None, None, :, None, None].expand(1, 3, 2, 2, 2)
    assert torch.equal(pooling(maps), torch.zeros(1, 4))


def test_vlad_that_was_not_fitted_is_refused() -> None:
    with pytest.raises(CallError) as caught:
        VLAD(3, 2, 4)(torch.randn(1, 1, 3, 2, 2))
    assert str(caught.value) == "VLAD has no components and centres; fit it to training descriptors first"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([(1,), (2, 1), (4, 2)], "mean of VLAD is (1,); this one takes (3,)"),
        ([(3,), (1, 3), (4, 1)], "components of VLAD is (1, 3); this one takes (2, 3)"),
        ([(3,), (2, 3), (1, 2)], "centres of VLAD is (1, 2); this one takes (4, 2)"),
    ],
)
def test_vlad_takes_its_own_sizes_alone(sizes: list[tuple[int, ...]], message: str) -> None:
    pooling = fitted_vlad().float()
    before = {key: value.clone() for key, value in pooling.state_dict().items()}
    with pytest.raises(CallError) as caught:
        pooling.fit(*(torch.ones(*size) for size in sizes))
    assert str(caught.value) == message
    assert all(torch.equal(value, before[key]) for key, value in pooling.state_dict().items())


def test_what_vlad_has_fitted_is_saved() -> None:
    pooling, other = fitted_vlad(), VLAD(3, 2, 4).double()
    other.load_state_dict(pooling.state_dict())
    maps = of_size(1, 2, 3)
    assert torch.equal(other(maps), pooling(maps))
    assert list(pooling.parameters()) == []


@pytest.mark.parametrize(
    ("pooling", "name"), [(Flat(3, (2, 2)), "flat"), (FC6("c3d", nn.Linear(12, 5), 2, "fc6"), "fc6 of c3d")]
)
def test_maps_of_another_side_are_refused(pooling: Pooling, name: str) -> None:
    with pytest.raises(CallError) as caught:
        pooling(torch.randn(1, 1, 3, 4, 4))
    assert str(caught.value) == (
        f"{name} was made for maps of 2×2 regions, and these have 4×4; give pictures of the same size"
    )


@pytest.mark.parametrize(
    ("name", "kind", "side", "dim"),
    [
        ("vgg16", "fc6", 224, 4096),
        ("vgg16", "flat", 224, 25088),
        ("vgg16", "average", 224, 512),
        ("vgg16", "vlad", 224, 32768),
        ("c3d", "fc6", 112, 4096),
        ("c3d", "flat", 112, 8192),
        ("c3d", "flat", 224, 25088),
        ("c3d", "average", 224, 512),
        ("c3d", "vlad", 224, 32768),
        ("squeezenet", "fc6", 224, 1000),
        ("squeezenet", "fc6", 112, 1000),
    ],
)
def test_the_papers_sizes(name: str, kind: PoolingKind, side: int, dim: int) -> None:
    with torch.device("meta"):  # shapes, and no arithmetic
        backbone = build_backbone(name)
        pooling = build_pooling(kind, backbone, (side, side))
        clip = (16,) if backbone.takes == "clip" else ()
        maps = backbone(torch.empty(2, 3, *clip, side, side))[:, None]
        found = None if isinstance(pooling, VLAD) else pooling(maps)  # VLAD looks whether it was fitted
    assert pooling.dim == dim
    assert found is None or found.shape == (2, dim)


def test_fc6_of_vgg16_is_torchvisions() -> None:
    from torchvision.models import vgg16

    with torch.device("meta"):
        whole = vgg16(init_weights=False)
        pooling = build_pooling("fc6", build_backbone("vgg16"), (224, 224))
    assert isinstance(pooling, FC6)
    layer = whole.get_submodule(pooling.published)
    assert {key: value.shape for key, value in layer.state_dict().items()} == {
        key: value.shape for key, value in pooling.layer.state_dict().items()
    }


def test_fc6_of_vgg16_looks_at_the_map_in_torchvisions_order() -> None:
    from torchvision.models.vgg import VGG

    whole = VGG(nn.Identity(), num_classes=2, init_weights=False).eval()
    whole.classifier[0] = nn.Linear(2 * 49, 6)  # of 2 channels, for speed
    pooling = FC6("vgg16", whole.classifier[0], 7, "classifier.0")
    maps = torch.randn(3, 2, 7, 7)
    expected = whole.classifier[:2](torch.flatten(whole.avgpool(maps), 1))
    torch.testing.assert_close(pooling(maps[:, None]), expected)


@pytest.mark.parametrize(("side", "found"), [(224, "7×7"), (128, "4×4"), (160, "5×5")])
def test_fc6_of_clips_is_there_at_112_only(side: int, found: str) -> None:
    with torch.device("meta"):
        backbone = build_backbone("c3d")
        if found == "4×4":  # 97 to 128 give as many regions
            assert build_pooling("fc6", backbone, (side, side)).dim == 4096
            return
        with pytest.raises(CallError) as caught:
            build_pooling("fc6", backbone, (side, side))
    assert str(caught.value) == (
        "fc6 of c3d looks at 4×4 regions, as pictures of 112² give, and pictures of "
        f"{side}² give {found}; take 112² for this stream, or the pooling flat, average or vlad"
    )


def test_fc6_of_vgg16_needs_224() -> None:
    with (
        torch.device("meta"),
        pytest.raises(CallError, match=r"looks at 7×7 regions.* 112² give 3×3; take 224²"),
    ):
        build_pooling("fc6", build_backbone("vgg16"), (112, 112))


@pytest.mark.parametrize(
    ("name", "tap"), [("small", "block4"), ("vgg16", "conv5_3"), ("resnet152", "layer4"), ("s3d", "features")]
)
def test_a_backbone_without_fc6_is_refused(name: str, tap: str) -> None:
    with torch.device("meta"), pytest.raises(CallError) as caught:
        build_pooling("fc6", build_backbone(name, tap), (224, 224))
    assert str(caught.value) == (
        f"backbone {name} at {tap} has no fc6; those that have one are vgg16 at pool5; c3d at pool5; "
        "squeezenet at fire9_pool or fire9. Take one of these, or the pooling flat, average or vlad"
    )


@pytest.mark.parametrize(("dims", "centres"), [(4, 2), (0, 2), (2, 0)])
def test_vlad_has_no_more_dimensions_than_channels(dims: int, centres: int) -> None:
    with pytest.raises(CallError) as caught:
        build_pooling("vlad", passing_backbone(3), (8, 8), dims=dims, centres=centres)
    assert str(caught.value) == (
        f"VLAD with {dims} dimensions and {centres} centres; give 1 to 3 dimensions (the channels of "
        "passing) and at least 1 centre"
    )


def test_vlad_is_built_of_other_sizes() -> None:
    assert build_pooling("vlad", passing_backbone(3), (8, 8), dims=3, centres=5).dim == 15


def test_maps_of_sound_have_other_sides() -> None:
    pooling = build_pooling("flat", build_backbone("vggish", None, 1), (96, 64))
    assert pooling.dim == 512 * 6 * 4
    maps = of_size(1, 2, 3)[..., :2]
    small = Flat(3, (maps.shape[-2], 2)).double()
    np.testing.assert_allclose(small(maps)[0].numpy(), reference.flat(maps[0].numpy()), atol=1e-12)
    with pytest.raises(CallError, match="flat was made for maps of 6×4 regions, and these have 4×6; give"):
        pooling(torch.zeros(1, 1, 512, 4, 6))
    with pytest.raises(CallError, match="and pictures of 224×96 give 7×3; take 224² for this stream"):
        build_pooling("fc6", build_backbone("vgg16"), (224, 96))


@pytest.mark.parametrize(
    ("name", "side", "regions"),
    [("small", 112, 7), ("small3d", 112, 7), ("googlenet", 96, 3), ("timm/mobilenetv3_small_050", 64, 2)],
)
def test_the_side_of_the_maps_is_found_without_running_the_network(
    name: str, side: int, regions: int
) -> None:
    backbone: Backbone = build_backbone(name)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    assert regions_of_maps(backbone.train(), (side, side), frames=8) == (regions, regions)
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} may not move"
