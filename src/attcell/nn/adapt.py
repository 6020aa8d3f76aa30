"""A network that was trained on colour pictures, made to look at something else."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def cross_modality(
    weight: Float[Tensor, "F C *kernel"], in_channels: int
) -> Float[Tensor, "F in_channels *kernel"]:
    """The first convolution's weights for another number of input channels.

    *Reading* (the paper names no initialisation of its flow stream): the weights are averaged over the input
    channels and copied to all the new ones.
    """
    mean = weight.mean(dim=1, keepdim=True)
    return mean.expand(-1, in_channels, *weight.shape[2:]).contiguous()


def inflated(weight: Float[Tensor, "F C kH kW"], length: int) -> Float[Tensor, "F C length kH kW"]:
    """A convolution over pictures as one over clips that answers alike where nothing moves; near a clip's
    ends, where it pads by zeros, weaker.

    The weights are copied to each of ``length`` frames and divided by it (Carreira and Zisserman, "Quo
    Vadis, Action Recognition?", 2017; neither of our papers does so).
    """
    return (weight / length)[:, :, None].repeat(1, 1, length, 1, 1)
