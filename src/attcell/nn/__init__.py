"""Networks: tensors in, tensors out; no files, no videos, no downloads.

- *Attention cells*: AttCell, SharingGate, RegionGate, UniformAttention; attended_sum.
- *Over segments*: TemporalAttention, EncoderDecoder, SelfAttention; an AttCell too.
- *One modality*: Stream of STAN, Branch of TAN, PooledStream; each is a BackboneStream. Normalise,
  Standardise.
- *Networks*: STAN, LateFusion, TAN; each is a Network, which encodes segments and decides on all of them.
- *Rivals*: san, cnn, two_stream, fc_fusion, branch_selection, spatial_attention, soft_attention, each a STAN
  or a BranchNetwork; Pooled with FC6, Flat, Average or VLAD (build_pooling); SVMNetwork with its LinearSVM.
- *What they give*: an Output: STANOutput, TANOutput, LateOutput, BranchesOutput, SVMOutput; PooledOutput.
- *Backbones*: build_backbone, backbone_names; register a BackboneEntry, whose builder gives a Built.
- *Explaining and streaming*: grad_cam, integrated_gradients, deletion_insertion; streamer, for a video that
  comes part by part.
"""

from attcell.nn.attention import (
    AttCell,
    RegionGate,
    SharingGate,
    UniformAttention,
    attended_sum,
)
from attcell.nn.backbones import Backbone, BackboneEntry, Built, backbone_names, build_backbone, register
from attcell.nn.explain import deletion_insertion, grad_cam, integrated_gradients
from attcell.nn.fusion import LateFusion
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
from attcell.nn.streaming import streamer
from attcell.nn.streams import BackboneStream, Normalise, Standardise, Stream
from attcell.nn.svm import LinearSVM, SVMNetwork
from attcell.nn.tan import TAN, Branch
from attcell.nn.temporal import EncoderDecoder, SelfAttention, TemporalAttention

__all__ = [
    "FC6",
    "STAN",
    "TAN",
    "VLAD",
    "AttCell",
    "Average",
    "Backbone",
    "BackboneEntry",
    "BackboneStream",
    "Branch",
    "BranchNetwork",
    "BranchesOutput",
    "Built",
    "EncoderDecoder",
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
    "RegionGate",
    "STANOutput",
    "SVMNetwork",
    "SVMOutput",
    "SelfAttention",
    "SharingGate",
    "Standardise",
    "Stream",
    "TANOutput",
    "TemporalAttention",
    "UniformAttention",
    "attended_sum",
    "backbone_names",
    "branch_selection",
    "build_backbone",
    "build_pooling",
    "cnn",
    "deletion_insertion",
    "fc_fusion",
    "grad_cam",
    "integrated_gradients",
    "register",
    "san",
    "soft_attention",
    "spatial_attention",
    "streamer",
    "two_stream",
]
