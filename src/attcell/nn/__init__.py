"""Networks: tensors in, tensors out."""

from attcell.nn.attention import AttCell, UniformAttention, attended_sum
from attcell.nn.backbones import Backbone, build_backbone
from attcell.nn.fusion import LateFusion, LateOutput, Network, Output
from attcell.nn.rivals import san
from attcell.nn.stan import STAN, STANOutput
from attcell.nn.streams import Normalise, Stream

__all__ = [
    "STAN",
    "AttCell",
    "Backbone",
    "LateFusion",
    "LateOutput",
    "Network",
    "Normalise",
    "Output",
    "STANOutput",
    "Stream",
    "UniformAttention",
    "attended_sum",
    "build_backbone",
    "san",
]
