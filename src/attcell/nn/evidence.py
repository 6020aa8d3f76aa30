"""Where other people's networks for clips find the evidence for a class: Grad-CAM, and attention rollout.

Both are maps made after the fact, of networks that have no attention cell. Grad-CAM (Selvaraju et al. 2017)
asks which features raise the class's logit; attention rollout (Abnar and Zuidema 2020) follows a
transformer's attention from what the classifier reads back to the patches, and does not know of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

Maps = Callable[[int], Float[Tensor, "N L K K"]]  # a class to what speaks for it, in time and regions


class Evidence(Protocol):
    """Runs a network on clips, and can say afterwards where the evidence for a class is.

    Attributes:
        words: the method and the layer, for people.
    """

    @property
    def words(self) -> str: ...

    def __call__(self, network: nn.Module, clips: Tensor) -> tuple[Float[Tensor, "N A"], Maps]:
        """The logits of clips, and the maps of any class; a map is not negative, and not normalised."""
        ...


@dataclass(frozen=True)
class GradCAM:
    """Grad-CAM at the output of one layer.

    L = ReLU(Σ_c w_c f_c), where w_c is the mean of ∂logit/∂f_c over a clip's regions and time.

    Attributes:
        layer: its name in the network.
        arrange: what the layer gives, its features and all, to (N, F, L', K, K).
        words: the method and the layer, for people.
    """

    layer: str
    arrange: Callable[[Any], Tensor]
    words: str

    def __call__(self, network: nn.Module, clips: Tensor) -> tuple[Float[Tensor, "N A"], Maps]:
        """The logits of clips, and the maps of any class. Gradients flow behind the layer alone, and none is
        left in the network.
        """
        given: list[Any] = []

        def cut(module: nn.Module, inputs: Any, output: Any) -> Any:
            features = (output if isinstance(output, Tensor) else output[0]).detach().requires_grad_()
            output = features if isinstance(output, Tensor) else (features, *output[1:])
            given.append((features, output))
            return output

        hook = network.get_submodule(self.layer).register_forward_hook(cut)
        try:
            with _frozen(network), torch.enable_grad():
                logits: Tensor = network(clips)
        finally:
            hook.remove()
        ((features, output),) = given

        def maps(label: int) -> Tensor:
            (gradient,) = torch.autograd.grad(logits[:, label].sum(), features, retain_graph=True)
            with torch.no_grad():
                arranged = self.arrange(output)
                slopes = self.arrange(gradient if isinstance(output, Tensor) else (gradient, *output[1:]))
                return (slopes.mean(dim=(2, 3, 4), keepdim=True) * arranged).sum(dim=1).relu()

        return logits.detach(), maps


@dataclass(frozen=True)
class Rollout:
    """Attention rollout: the product, from the first layer to the last, of (A + 1) / 2, where A is a layer's
    attention averaged over its heads and 1 stands for what goes past it.

    Attributes:
        layers: the names of those that give their attention (N, heads, tokens, tokens) after what they
            compute, from the first to the last.
        arrange: (N, tokens), how much each token counts for what the classifier reads, to (N, L', K, K).
        first_token: the classifier reads the first token alone; else the mean of all.
        words: the method, for people.
    """

    layers: tuple[str, ...]
    arrange: Callable[[Tensor], Tensor]
    first_token: bool
    words: str

    def __call__(self, network: nn.Module, clips: Tensor) -> tuple[Float[Tensor, "N A"], Maps]:
        """The logits of clips, and the maps, which are the same of every class."""
        attentions: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
            attentions.append(output[1].mean(dim=1))
            return output[0], None  # it is large, and nobody else asks for it

        hooks = [network.get_submodule(name).register_forward_hook(keep) for name in self.layers]
        try:
            with torch.no_grad():
                logits: Tensor = network(clips)
        finally:
            for hook in hooks:
                hook.remove()
        maps = self.arrange(rolled_out(attentions, first_token=self.first_token))
        return logits, lambda label: maps


def rolled_out(
    attentions: Sequence[Float[Tensor, "N tokens tokens"]], *, first_token: bool
) -> Float[Tensor, "N tokens"]:
    """How much each token counts for the first one at the end, or for the mean of all; sums to 1.

    It goes from the last layer to the first, so that one row is held and not a square of tokens.
    """
    last = attentions[-1]
    row = last.new_zeros(len(last), 1, last.shape[-1])
    row[..., slice(0, 1) if first_token else slice(None)] = 1.0 if first_token else 1.0 / last.shape[-1]
    for attention in reversed(attentions):
        row = (row @ attention + row) / 2
    return row[:, 0]


class _frozen:
    """Meanwhile no parameter of a network asks for a gradient."""

    def __init__(self, network: nn.Module) -> None:
        self._asking = [one for one in network.parameters() if one.requires_grad]

    def __enter__(self) -> None:
        for one in self._asking:
            one.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for one in self._asking:
            one.requires_grad_(True)
