"""Grad-CAM of networks for clips against finite differences, and rollout against the whole product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video.mvit import MSBlockConfig, MViT
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet
from torchvision.models.video.swin_transformer import SwinTransformer3d

from attcell.models.ready.kinetics import kinetics_entry
from attcell.nn.evidence import GradCAM, Rollout, rolled_out

STEP = 1e-4


def evidence_of(name: str) -> GradCAM:
    """As of a ready network; MViT's has 16 blocks, and the small one 3."""
    return kinetics_entry(f"kinetics/{name}").evidence


class Narrow(VideoResNet):
    """A 3-D ResNet of a few channels."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [Conv3DSimple] * 4, [1, 1, 1, 1], BasicStem, num_classes=3)
        self.layer3, self.layer4 = nn.Identity(), nn.Conv3d(128, 6, 1)
        self.fc = nn.Linear(6, 3)


def narrow_mvit() -> nn.Module:
    sides = {"kernel_q": [3, 3, 3], "kernel_kv": [3, 3, 3]}
    still = {**sides, "stride_q": [1, 1, 1], "stride_kv": [1, 2, 2]}
    blocks = [
        MSBlockConfig(1, 8, 8, **still),
        MSBlockConfig(1, 8, 16, **{**sides, "stride_q": [1, 2, 2], "stride_kv": [1, 1, 1]}),
        MSBlockConfig(2, 16, 16, **still),
    ]
    return MViT(
        (32, 32), 4, blocks, residual_pool=True, residual_with_cls_embed=False, rel_pos_embed=True,
        proj_after_attn=True, num_classes=3,
    )  # fmt: skip


def narrow_swin() -> nn.Module:
    return SwinTransformer3d([2, 4, 4], 8, [1, 1], [1, 2], [2, 4, 4], num_classes=3)


def small(name: str) -> tuple[nn.Module, GradCAM]:
    """A small network and how its evidence is found, as that of the large one."""
    evidence = evidence_of(name)
    if name == "r3d_18":
        return Narrow(), evidence
    if name == "swin3d_t":
        return narrow_swin(), evidence
    return narrow_mvit(), GradCAM("blocks.1", evidence.arrange, evidence.words)


def shifted(network: nn.Module, evidence: GradCAM, clips: Tensor, shift: Tensor) -> Tensor:
    """The logits where the layer's features are shifted."""

    def add(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return output + shift
        return (output[0] + shift, *output[1:])

    hook = network.get_submodule(evidence.layer).register_forward_hook(add)
    with torch.no_grad():
        logits: Tensor = network(clips)
    hook.remove()
    return logits


def slow_grad_cam(network: nn.Module, evidence: GradCAM, clips: Tensor, label: int) -> Tensor:
    """L = ReLU(Σ_c w_c f_c), w_c by shifting all patches of one channel up and down together."""
    given: list[Any] = []
    hook = network.get_submodule(evidence.layer).register_forward_hook(lambda *of: given.append(of[2]))
    with torch.no_grad():
        network(clips)
    hook.remove()
    output = given[0]
    whole = output if isinstance(output, Tensor) else output[0]
    features = evidence.arrange(output)
    num_patches = features[0, 0].numel()
    channels_last = features.shape[1] == whole.shape[-1]
    total = torch.zeros_like(features[:, 0])
    for channel in range(features.shape[1]):
        shift = torch.zeros_like(whole)
        if channels_last:
            shift[..., channel] = STEP
        else:
            shift[:, channel] = STEP
        if not isinstance(output, Tensor):
            shift[:, 0] = 0  # the class's own token is no patch
        up, down = (shifted(network, evidence, clips, sign * shift)[:, label] for sign in (1, -1))
        slope = (up - down) / (2 * STEP) / num_patches
        total += slope[:, None, None, None] * features[:, channel]
    return total.relu()


@pytest.mark.parametrize("name", ["r3d_18", "mvit_v2_s", "swin3d_t"])
def test_grad_cam_is_that_of_finite_differences(name: str) -> None:
    network, evidence = small(name)
    network = network.double().eval()
    clips = torch.randn(2, 3, 4, 32, 32, dtype=torch.float64)
    logits, maps = evidence(network, clips)
    with torch.no_grad():
        torch.testing.assert_close(logits, network(clips))
    seen = 0.0
    for label in range(3):
        expected = slow_grad_cam(network, evidence, clips, label)
        torch.testing.assert_close(maps(label), expected, rtol=1e-5, atol=1e-8)
        seen += float(expected.sum())
    assert seen > 0


def test_nothing_is_left_in_the_network() -> None:
    network = Narrow().eval()
    network.fc.bias.requires_grad_(False)
    _, maps = evidence_of("r3d_18")(network, torch.randn(1, 3, 4, 32, 32))
    maps(0)
    assert all(of.grad is None for of in network.parameters())
    assert [of.requires_grad for of in network.fc.parameters()] == [True, False]
    assert not network.layer4._forward_hooks


def slow_rollout(attentions: list[Tensor], *, first_token: bool) -> Tensor:
    """The product of the whole matrices, from the first layer to the last."""
    whole = torch.eye(attentions[0].shape[-1], dtype=attentions[0].dtype)
    for attention in attentions:
        whole = (attention + torch.eye(attention.shape[-1], dtype=attention.dtype)) / 2 @ whole
    return whole[:, 0] if first_token else whole.mean(dim=1)


@pytest.mark.parametrize("first_token", [True, False])
def test_rollout_is_the_product_of_the_whole_matrices(first_token: bool) -> None:
    attentions = [torch.randn(2, 9, 9, dtype=torch.float64).softmax(-1) for _ in range(4)]
    found = rolled_out(attentions, first_token=first_token)
    torch.testing.assert_close(found, slow_rollout(attentions, first_token=first_token))
    torch.testing.assert_close(found.sum(1), torch.ones(2, dtype=torch.float64))


class Attending(nn.Module):
    """A layer of two heads, which gives its attention away."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.heads = nn.MultiheadAttention(dim, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.heads(tokens, tokens, tokens, average_attn_weights=False)


class Transformer(nn.Module):
    """Two such layers with what goes past them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Attending(8), Attending(8)])
        self.classifier = nn.Linear(8, 3)

    def forward(self, tokens: Tensor, keep: Callable[[Tensor], None] = lambda _: None) -> Tensor:
        for layer in self.layers:
            out, attention = layer(tokens)
            if attention is not None:
                keep(attention)
            tokens = tokens + out
        logits: Tensor = self.classifier(tokens[:, 0])
        return logits


def test_rollout_of_a_network_is_that_of_its_own_attention() -> None:
    network, tokens = Transformer().eval(), torch.randn(2, 1 + 2 * 2 * 3, 8)
    evidence = Rollout(
        ("layers.0", "layers.1"), lambda of: of[:, 1:].unflatten(1, (2, 2, 3)), True, "attention rollout"
    )
    logits, maps = evidence(network, tokens)
    kept: list[Tensor] = []
    with torch.no_grad():
        torch.testing.assert_close(logits, network(tokens, kept.append))
    expected = slow_rollout([of.mean(1) for of in kept], first_token=True)[:, 1:].unflatten(1, (2, 2, 3))
    torch.testing.assert_close(maps(0), expected)
    torch.testing.assert_close(maps(2), expected)
