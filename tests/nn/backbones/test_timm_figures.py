"""Every timm model as a frame stream sees what timm's own transform gives, and gives what timm computes."""

from __future__ import annotations

import pytest
import timm
import torch
from PIL import Image

from attcell.models.build import build_network, input_spec
from attcell.nn.streams import feature_maps
from tests.small_models import recipe_of

# The figures of ImageNet, of 0.5 as SigLIP has them, and of CLIP; DINOv2 and DINOv3; and without patches.
NAMES = [
    "vit_tiny_patch16_224", "eva02_tiny_patch14_224", "vit_small_patch14_dinov2.lvd142m",
    "vit_small_patch16_dinov3.lvd1689m", "convnext_atto", "mobilenetv4_conv_small",
]  # fmt: skip
SMALLER = {"vit_small_patch14_dinov2.lvd142m": 224}  # its own 518 take long here


@pytest.mark.parametrize("name", NAMES)
def test_features_are_timms_own(tmp_path, name: str) -> None:
    figures = timm.get_pretrained_cfg(name)
    size = SMALLER.get(name, figures.input_size[-1])
    streams = {"frame": {"backbone": f"timm/{name}", "weights": "none", "conv6_channels": 4}}
    given = {"size": size, "short_side": size} if name in SMALLER else {"size": None, "short_side": None}
    recipe = recipe_of(tmp_path, model={"streams": streams}, input=given)
    assert recipe.input.size == size
    stream = build_network(recipe, 3, load_weights=False).eval().stream("frame")
    pictures = torch.randint(0, 256, (1, 1, 3, size, size), dtype=torch.uint8)
    config = {**timm.data.resolve_data_config(pretrained_cfg=figures.to_dict()), "crop_pct": 1.0}
    config["input_size"] = (3, size, size)
    prepared = timm.data.create_transform(**config)(Image.fromarray(pictures[0, 0].permute(1, 2, 0).numpy()))
    network = stream.backbone.named_as_published
    with torch.inference_mode():
        found = feature_maps(stream, pictures, torch.device("cpu"))[0]
        (expected,) = network.forward_intermediates(
            prepared[None], indices=[stream.backbone.body.index], intermediates_only=True, output_fmt="NCHW"
        )
    assert input_spec(recipe).frame.size == size
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-5)
