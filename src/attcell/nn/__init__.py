"""Networks: tensors in, tensors out."""

from attcell.nn.attention import AttCell, UniformAttention, attended_sum
from attcell.nn.backbones import Backbone, build_backbone
from attcell.nn.branch import Branch
from attcell.nn.branch_network import BranchesOutput, BranchNetwork
from attcell.nn.fusion import LateFusion, LateOutput
from attcell.nn.networks import Network, Output
from attcell.nn.pooled import Pooled, PooledOutput, PooledStream
from attcell.nn.poolings import FC6, VLAD, Average, Flat, Pooling, PoolingKind, build_pooling
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
from attcell.nn.svm import LinearSVM, SVMNetwork, SVMOutput
from attcell.nn.tan import TAN, SharingGate, TANOutput

__all__ = [
    "FC6",
    "STAN",
    "TAN",
    "VLAD",
    "AttCell",
    "Average",
    "Backbone",
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
