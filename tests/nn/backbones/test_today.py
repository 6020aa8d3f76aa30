"""Today's networks for clips as backbones: their maps are the libraries' own, and so is what they see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.video.swin_transformer import PatchEmbed3d, SwinTransformer3d

from attcell.config.hub import read_video_model
from attcell.errors import CallError, ModelError
from attcell.models.weights import load_backbone_weights
from attcell.nn import Stream, build_backbone
from attcell.nn.backbones import BackboneEntry, backbone_entry
from attcell.nn.backbones.transformers_video import video_entry
from attcell.nn.backbones.video import MViTMaps, SwinMaps
from tests import own_backbones
from tests.transformers_models import KINDS, save_video_model

NAMES = ["mvit_v1_b", "mvit_v2_s", "swin3d_t", "swin3d_s", "swin3d_b"]


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18", "s3d", *NAMES])
def test_size_mean_deviation_and_frames_are_those_of_the_published_weights(name: str) -> None:
    entry = backbone_entry(name)
    weights = get_model_weights(name)[str(entry.weights).rpartition(".")[2]]
    prepared = weights.transforms()
    assert [entry.size] * 2 == prepared.crop_size
    assert list(entry.mean) == prepared.mean
    assert list(entry.deviation) == prepared.std
    least = weights.meta.get("min_temporal_size", 1)
    assert (entry.frames == least) if entry.fixed_frames else (entry.frames >= least)


@pytest.mark.parametrize(("name", "channels"), list(zip(NAMES, (768, 768, 768, 768, 1024), strict=True)))
def test_their_maps_have_8_steps_of_7_by_7(name: str, channels: int) -> None:
    with torch.device("meta"):  # shapes, and no arithmetic
        clips = torch.empty(1, 3, 16, 224, 224)
        assert build_backbone(name).eval()(clips).shape == (1, channels, 7, 7)
        kept = build_backbone(name, keeps_time=True).eval()
        assert kept(clips).shape == (1, channels, 8 * 7, 7)
        assert kept.weight_keys == set(get_model(name, weights=None).state_dict())
    assert (kept.out_channels, kept.takes) == (channels, "clip")


def small_swin() -> SwinTransformer3d:
    return SwinTransformer3d(
        [2, 4, 4], 12, [2, 2], [2, 4], [2, 4, 4], num_classes=5, patch_embed=PatchEmbed3d
    )


def random_weights(network: nn.Module) -> Any:
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.2
    return network.eval()


def test_mvits_map_is_what_torchvision_classifies_by() -> None:
    """Its class token goes to the head, its other tokens are the map."""
    network, seen = random_weights(own_backbones.network()), []
    network.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.inference_mode():
        network(clips)
        maps = MViTMaps(network)(clips)
    assert maps.shape == (2, 16, 2, 4, 4)
    torch.testing.assert_close(maps.flatten(2).transpose(1, 2), seen[0][:, 1:], atol=1e-5, rtol=0)


def test_swins_map_is_what_torchvision_classifies() -> None:
    network = random_weights(small_swin())
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.inference_mode():
        expected = network(clips)
        maps = SwinMaps(network)(clips)
        found = network.head(maps.mean(dim=(2, 3, 4)))
    assert maps.shape == (2, 24, 2, 4, 4)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def _by_hand(kind: str, network: Any, clips: Tensor) -> Tensor:
    """The library's last hidden state, region by region, in the order of its own embedding."""
    states = getattr(network, kind)(clips.transpose(1, 2)).last_hidden_state
    maps = torch.empty(len(clips), 24, 4 if kind == "timesformer" else 2, 4, 4)
    start = 1 if kind in ("timesformer", "vivit") else 0
    for place in range(states.shape[1] - start):
        if kind == "timesformer":
            region, step = divmod(place, 4)
        else:
            step, region = divmod(place, 16)
        maps[:, :, step, region // 4, region % 4] = states[:, start + place]
    return maps


@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_transformers_are_its_last_hidden_state(tmp_path, kind: str) -> None:
    network = save_video_model(tmp_path, kind)
    entry = video_entry(read_video_model(str(tmp_path)))
    backbone = build_backbone(entry, keeps_time=True).eval()
    state = entry.weights() if callable(entry.weights) else {}
    backbone.named_as_published.load_state_dict(state)
    assert backbone.weight_keys == set(state)
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.inference_mode():
        expected = _by_hand(kind, network, clips)
        maps = backbone.body(clips)
        torch.testing.assert_close(maps, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(backbone.body(clips).flatten(2, 3), expected.flatten(2, 3))
    assert expected.std() > 0.1
    assert backbone.out_channels == 24


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_older_names_of_keys_fills_it(tmp_path, kind: str) -> None:
    """transformers itself saves VideoMAE and ViViT by their older names."""
    save_video_model(tmp_path, kind)
    entry = video_entry(read_video_model(str(tmp_path)))
    backbone = build_backbone(entry)
    load_backbone_weights(backbone, str(tmp_path / "model.safetensors"))
    expected = entry.weights() if callable(entry.weights) else {}
    found = backbone.named_as_published.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], of) for key, of in expected.items())


def test_a_file_of_another_network_is_told_by_its_own_names(tmp_path) -> None:
    save_video_model(tmp_path, "vivit")
    backbone = build_backbone(video_entry(read_video_model(str(tmp_path))))
    save_file({"one.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="it has 1 other keys, first one"):
        load_backbone_weights(backbone, str(tmp_path / "other.safetensors"))


def test_where_a_thing_is_in_the_clip_is_where_it_is_in_the_map(tmp_path) -> None:
    """A change in one corner at one time changes that region of TimeSformer's embedding first."""
    network = save_video_model(tmp_path, "timesformer")
    embedded: list[Tensor] = []
    network.timesformer.embeddings.register_forward_hook(lambda m, i, output: embedded.append(output))
    clips = torch.randn(1, 4, 3, 32, 32)
    changed = clips.clone()
    changed[0, 3, :, 8:16, 24:32] += 1  # the last frame, row 1, column 3
    with torch.inference_mode():
        network(clips)
        network(changed)
    places = (embedded[1] - embedded[0])[0, 1:].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert places == [(1 * 4 + 3) * 4 + 3]


@pytest.fixture
def small_entry() -> BackboneEntry:
    return own_backbones.small_mvit


def test_kept_steps_are_local_descriptors_of_their_own(small_entry: BackboneEntry) -> None:
    """Each step goes through conv6 by itself, attention is over all, what is shown is summed over them."""
    stream = random_weights(Stream(build_backbone(small_entry, keeps_time=True), 6))
    clips = torch.randn(2, 3, 3, 4, 32, 32)
    with torch.inference_mode():
        steps = stream.backbone.body(stream.backbone.input(clips.flatten(0, 1)))  # (N, F, 2, 4, 4)
        local = torch.stack([stream.conv6(steps[:, :, step]).relu() for step in range(2)], dim=2)
        rows = local.flatten(2).transpose(1, 2)
        _, attention = stream.attention(rows)
        out = stream(clips)
    expected = (attention[..., None] * rows).sum(dim=1).unflatten(0, (2, 3))
    torch.testing.assert_close(out.segments, expected, atol=1e-5, rtol=1e-5)
    summed = attention.view(2, 3, 2, 4, 4).sum(dim=2)
    torch.testing.assert_close(out.attention, summed)
    torch.testing.assert_close(out.scores.flatten(2).softmax(dim=-1).view(2, 3, 4, 4), summed)
    assert out.attention.std() > 0


def test_averaged_steps_are_the_mean_of_the_map(small_entry: BackboneEntry) -> None:
    kept, averaged = (build_backbone(small_entry, keeps_time=time).eval() for time in (True, False))
    averaged.load_state_dict(random_weights(kept).state_dict())
    clips = torch.randn(1, 3, 4, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(kept(clips).unflatten(2, (2, 4)).mean(dim=2), averaged(clips))


def test_a_frozen_network_keeps_nothing_to_go_back_by(small_entry: BackboneEntry) -> None:
    stream = Stream(build_backbone(small_entry, keeps_time=True), 6)
    stream.backbone.train_from("none")
    maps = stream.train().feature_maps(torch.randn(1, 1, 3, 4, 32, 32))
    assert maps.grad_fn is None
    assert not any(module.training for module in stream.backbone.body.modules())


def test_frozen_blocks_drop_nothing() -> None:
    """Their stochastic depth has no parameters, and is of the block."""
    with torch.device("meta"):
        backbone = build_backbone("mvit_v2_s")
    backbone.train_from("blocks.14")
    backbone.train()
    blocks = backbone.named_as_published.get_submodule("blocks")
    training = [any(module.training for module in block.modules()) for block in blocks.children()]
    assert training == [False] * 14 + [True] * 2


def test_another_size_is_refused() -> None:
    with pytest.raises(CallError, match="mvit_v2_s looks at pictures of 224×224, not of 112×112, because"):
        build_backbone("mvit_v2_s", size=112)


def test_a_map_without_time_has_none_to_keep() -> None:
    with pytest.raises(CallError, match="backbone small gives maps without a dimension of time"):
        build_backbone("small", keeps_time=True)
