"""Networks for clips that can be backbones: C3D, torchvision's, and a small one. All average over time."""

from __future__ import annotations

from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from attcell.nn.backbones.c3d import MeanOverTime, c3d
from attcell.nn.backbones.image import Built
from attcell.nn.backbones.small import small_3d_cnn


def c3d_network(tap: str) -> Built:
    return c3d()


def resnet_18(name: str, tap: str) -> Built:
    """``r3d_18``, ``mc3_18`` or ``r2plus1d_18``: 16 frames of 112² to 7×7 at layer4, 14×14 at layer3."""
    from torchvision.models import video

    network = getattr(video, name)()
    layers = OrderedDict[str, nn.Module](input=_KineticsInput())
    for layer, module in network.named_children():
        layers[layer] = module
        if layer == tap:
            break
    layers["time"] = MeanOverTime()
    return nn.Sequential(layers), {"layer4": 512, "layer3": 256}[tap], frozenset(network.state_dict())


def s3d_network(tap: str) -> Built:
    """16 frames of 224² to 7×7."""
    from torchvision.models.video import s3d

    network = s3d()
    layers = OrderedDict[str, nn.Module](
        input=_KineticsInput(), features=network.features, time=MeanOverTime()
    )
    return nn.Sequential(layers), 1024, frozenset(network.state_dict())


def small3d(tap: str) -> Built:
    body, out_channels = small_3d_cnn()
    body.add_module("time", MeanOverTime())
    return body, out_channels, frozenset(body.state_dict())


class _KineticsInput(nn.Module):
    """From ImageNet's mean and deviation to those of Kinetics, which torchvision's video weights expect."""

    def forward(self, clips: Float[Tensor, "N 3 L H W"]) -> Float[Tensor, "N 3 L H W"]:
        def column(values: list[float]) -> Tensor:
            return clips.new_tensor(values).view(1, 3, 1, 1, 1)

        colours = clips * column([0.229, 0.224, 0.225]) + column([0.485, 0.456, 0.406])
        return (colours - column([0.43216, 0.394666, 0.37645])) / column([0.22803, 0.22145, 0.216989])
