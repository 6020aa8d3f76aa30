"""Networks: tensors in, tensors out."""

from attcell.nn.attention import AttCell, SharingGate, UniformAttention, attended_sum
from attcell.nn.backbones.registry import Backbone, build_backbone
from attcell.nn.late_fusion import LateFusion
from attcell.nn.network import Network
from attcell.nn.outputs import (
    BranchesOutput,
    LateOutput,
    Output,
    PooledOutput,
    STANOutput,
    SVMOutput,
    TANOutput,
)
from attcell.nn.pooled import (
    FC6,
    VLAD,
    Average,
    Flat,
    Pooled,
    PooledStream,
    Pooling,
    PoolingKind,
    build_pooling,
)
from attcell.nn.rivals import (
    BranchNetwork,
    branch_selection,
    cnn,
    fc_fusion,
    san,
    soft_attention,
    spatial_attention,
    two_stream,
)
from attcell.nn.stan import STAN
from attcell.nn.streams import BackboneStream, Normalise, Stream
from attcell.nn.svm import LinearSVM, SVMNetwork
from attcell.nn.tan import TAN, Branch

__all__ = [
    "FC6",
    "STAN",
    "TAN",
    "VLAD",
    "AttCell",
    "Average",
    "Backbone",
    "BackboneStream",
    "Branch",
    "BranchNetwork",
    "BranchesOutput",
    "Flat",
    "LateFusion",
    "LateOutput",
    "LinearSVM",
    "Network",
    "Normalise",
    "Output",
    "Pooled",
    "PooledOutput",
    "PooledStream",
    "Pooling",
    "PoolingKind",
    "STANOutput",
    "SVMNetwork",
    "SVMOutput",
    "SharingGate",
    "Stream",
    "TANOutput",
    "UniformAttention",
    "attended_sum",
    "branch_selection",
    "build_backbone",
    "build_pooling",
    "cnn",
    "fc_fusion",
    "san",
    "soft_attention",
    "spatial_attention",
    "two_stream",
]
