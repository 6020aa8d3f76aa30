"""Grad-CAM on STAN: where the gradient says that the evidence is, for attention to be compared with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from attcell.nn.stan import STAN


def grad_cam(
    network: STAN, maps: Mapping[str, Float[Tensor, "B T F _ _"]], label: int
) -> dict[str, Float[Tensor, "B T K K"]]:
    """Selvaraju et al. 2017 at the last convolution, conv6: L = ReLU(Σ_c w_c f_c), where w_c is the mean of
    ∂logit/∂f_c over the K×K regions of one segment.

    Args:
        network: on which gradients flow; it is left as it was.
        maps: stream → what its backbone gives.
        label: the class whose logit is explained.

    Returns:
        Stream → its maps. They are not normalised, so that segments can be compared.
    """
    local = {
        name: network.stream(name).descriptors(of_stream).detach().requires_grad_()
        for name, of_stream in maps.items()
    }
    with torch.backends.cudnn.flags(enabled=False):  # whose LSTM has no gradient outside training
        logit = network.look(local).logits[:, label].sum()
        gradients = torch.autograd.grad(logit, list(local.values()))
    return {
        name: (gradient.mean(dim=(-2, -1), keepdim=True) * features).sum(dim=2).relu().detach()
        for (name, features), gradient in zip(local.items(), gradients, strict=True)
    }
