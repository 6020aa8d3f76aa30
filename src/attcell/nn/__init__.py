"""Networks: tensors in, tensors out."""

from attcell.nn.attention import AttCell, UniformAttention, attended_sum
from attcell.nn.backbones import Backbone, build_backbone
from attcell.nn.branch import Branch
from attcell.nn.branch_network import BranchesOutput, BranchNetwork
from attcell.nn.fusion import LateFusion, LateOutput
from attcell.nn.networks import Network, Output
from attcell.nn.rivals import (
    branch_selection,
    cnn,
    fc_fusion,
    san,
    soft_attention,
    spatial_attention,
    two_stream,
)
from attcell.nn.stan import STAN, STANOutput
from attcell.nn.streams import Normalise, Stream
from attcell.nn.tan import TAN, SharingGate, TANOutput

__all__ = [
    "STAN",
    "TAN",
    "AttCell",
    "Backbone",
    "Branch",
    "BranchNetwork",
    "BranchesOutput",
    "LateFusion",
    "LateOutput",
    "Network",
    "Normalise",
    "Output",
    "STANOutput",
    "SharingGate",
    "Stream",
    "TANOutput",
    "UniformAttention",
    "attended_sum",
    "branch_selection",
    "build_backbone",
    "cnn",
    "fc_fusion",
    "san",
    "soft_attention",
    "spatial_attention",
    "two_stream",
]
