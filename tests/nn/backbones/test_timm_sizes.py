"""timm's models at pictures of another size than their own, and with their own mean and deviation."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file

from attcell.errors import CallError
from attcell.inference.model import Model, load
from attcell.models.build import build_network
from attcell.models.weights import load_backbone_weights
from attcell.nn import build_backbone
from attcell.nn.backbones import backbone_entry
from attcell.nn.backbones.entry import IMAGENET_DEVIATION, IMAGENET_MEAN
from tests.small_models import LABELS, recipe_of

DINO = "timm/vit_small_patch14_dinov2"
TINY = "timm/test_vit"  # timm's own for tests, of 160×160 and patches of 16×16


def test_dinov2_at_224() -> None:
    assert backbone_entry(DINO).size == 518
    with torch.device("meta"):  # shapes alone
        backbone = build_backbone(DINO, size=224)
        maps = backbone(torch.zeros(2, 3, 224, 224))
        own = build_backbone(DINO).named_as_published.pos_embed
    assert maps.shape == (2, 384, 16, 16)
    assert own.shape == (1, 37 * 37 + 1, 384)
    assert backbone.named_as_published.pos_embed.shape == (1, 16 * 16 + 1, 384)
    assert (backbone.entry.size, backbone.entry.weights) == (224, "timm:vit_small_patch14_dinov2@224")


@pytest.mark.parametrize(("size", "regions"), [(None, 10), (160, 10), (96, 6), (224, 14)])
def test_maps_at_any_size(size: int | None, regions: int) -> None:
    backbone = build_backbone(TINY, size=size).eval()
    with torch.inference_mode():
        maps = backbone(torch.randn(1, 3, 16 * regions, 16 * regions))
    assert maps.shape == (1, 64, regions, regions)
    assert maps.isfinite().all()


def test_convolutions_take_any_size_as_they_are() -> None:
    assert build_backbone("timm/resnet18", size=96).entry is not None
    assert build_backbone("timm/resnet18", size=96).entry.weights == "timm:resnet18"


@pytest.mark.parametrize("size", [100, 3])
def test_a_size_that_is_no_whole_number_of_patches_is_refused(size: int) -> None:
    with pytest.raises(CallError) as caught:
        build_backbone(TINY, size=size)
    message = str(caught.value)
    assert message.startswith(f"timm/test_vit cannot look at pictures of {size}×{size} (")
    assert message.endswith("; set input.size to 160, its own, or to another whole number of its patches")


def test_published_weights_are_brought_to_the_size(monkeypatch) -> None:
    create, asked = timm.create_model, []

    def made(name: str, *, pretrained: bool, **options: object) -> torch.nn.Module:
        asked.append((name, pretrained, options))
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", made)
    backbone = build_backbone(TINY, size=96)
    load_backbone_weights(backbone, "pretrained")
    assert asked[-1] == ("test_vit", True, {"img_size": 96})
    load_backbone_weights(build_backbone(TINY), "pretrained")
    assert asked[-1] == ("test_vit", True, {})


def test_a_model_at_another_size_is_saved_and_read_again(tmp_path) -> None:
    streams = {"frame": {"backbone": TINY, "weights": "none", "conv6_channels": 4}}
    recipe = recipe_of(tmp_path, model={"streams": streams}, input={"size": 96, "short_side": 96})
    network = build_network(recipe, len(LABELS), load_weights=False).eval()
    Model(network, LABELS, recipe).save_pretrained(tmp_path / "model")
    found = load(tmp_path / "model").network
    pictures = {"frame": torch.randint(0, 256, (1, 2, 3, 96, 96), dtype=torch.uint8)}
    with torch.inference_mode():
        torch.testing.assert_close(found(pictures).logits, network(pictures).logits)
    assert found(pictures).spatial_attention["frame"].shape == (1, 2, 6, 6)


def test_a_file_of_the_same_size_loads(tmp_path) -> None:
    torch.manual_seed(1)
    state = build_backbone(TINY, size=96).named_as_published.state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "tiny.safetensors")
    backbone = build_backbone(TINY, size=96)
    load_backbone_weights(backbone, str(tmp_path / "tiny.safetensors"))
    assert torch.equal(backbone.named_as_published.pos_embed, state["pos_embed"])


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [
        ("timm/vit_base_patch32_clip_224", (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)),
        ("timm/vit_base_patch16_siglip_224", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("timm/inception_v4", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        (DINO, IMAGENET_MEAN, IMAGENET_DEVIATION),
    ],
)
def test_their_own_mean_and_deviation(name: str, mean: tuple, deviation: tuple) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
    colours = torch.rand(1, 3, 4, 4)
    ours, theirs = (
        (colours - torch.tensor(m).view(3, 1, 1)) / torch.tensor(d).view(3, 1, 1)
        for m, d in ((IMAGENET_MEAN, IMAGENET_DEVIATION), (mean, deviation))
    )
    torch.testing.assert_close(backbone.input(ours), theirs, atol=0.01, rtol=0.01)
