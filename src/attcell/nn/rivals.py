"""What STAN is compared with. Each says in a few lines how it differs."""

from __future__ import annotations

from collections.abc import Mapping

from attcell.nn.attention import UniformAttention
from attcell.nn.stan import STAN
from attcell.nn.streams import Stream


def san(streams: Mapping[str, Stream], num_classes: int, *, dropout: float = 0.5) -> STAN:
    """SAN: the spatial attention of STAN, and the plain average over segments.

    With streams whose ``attention`` is a :class:`~attcell.nn.attention.UniformAttention` it is average
    pooling: the same layers and no attention at all.
    """
    return STAN(streams, num_classes, dropout=dropout, temporal=UniformAttention())
