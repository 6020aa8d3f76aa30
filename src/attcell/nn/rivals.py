"""What STAN and TAN are compared with. Each says in a few lines how it differs.

TAN's rivals are our *readings*, for the paper's appendix is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from attcell.nn.attention import UniformAttention
from attcell.nn.branch import Branch
from attcell.nn.branch_network import BranchNetwork
from attcell.nn.joining import Averaging, BranchSelection, FCFusion
from attcell.nn.regions import RegionAttention
from attcell.nn.stan import STAN
from attcell.nn.streams import Stream


def san(streams: Mapping[str, Stream], num_classes: int, *, dropout: float = 0.5) -> STAN:
    """SAN: the spatial attention of STAN, and the plain average over segments.

    With streams whose ``attention`` is a :class:`~attcell.nn.attention.UniformAttention` it is average
    pooling: the same layers and no attention at all.
    """
    return STAN(streams, num_classes, dropout=dropout, temporal=UniformAttention())


def cnn(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """A classifier of single frames on each CNN: the first stage of TAN's training.

    Branches of cell ``none``. At test the softmaxes of all frames and branches are averaged.
    """
    head = Averaging(_sizes(branches), num_classes, dropout)
    return BranchNetwork(branches, head, last_step_only=False)


def two_stream(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """TAN without gates: each branch classifies its own outputs, and the softmaxes are averaged."""
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout))


def fc_fusion(branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5) -> BranchNetwork:
    """One classifier on both branches' outputs side by side."""
    return BranchNetwork(branches, FCFusion(_sizes(branches), num_classes, dropout))


def branch_selection(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """One classifier on the sum of both branches' outputs, weighted by a gate; with equal hidden states."""
    return BranchNetwork(branches, BranchSelection(_sizes(branches), num_classes, dropout))


def spatial_attention(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """TAN's question asked of regions: what one branch remembers says where to look in the other's next step.

    The softmaxes are averaged.
    """
    first, second = branches
    regions = RegionAttention(branches, {first: second, second: first})
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout), regions=regions)


def soft_attention(
    branches: Mapping[str, Branch], num_classes: int, *, dropout: float = 0.5
) -> BranchNetwork:
    """One branch whose own memory says where to look in its next step (Sharma et al. 2015).

    *Reading*: it starts from no memory, where they start from the averaged features; the last step counts.
    """
    regions = RegionAttention(branches, {name: name for name in branches})
    return BranchNetwork(branches, Averaging(_sizes(branches), num_classes, dropout), regions=regions)


def _sizes(branches: Mapping[str, Branch]) -> dict[str, int]:
    return {name: branch.hidden for name, branch in branches.items()}
