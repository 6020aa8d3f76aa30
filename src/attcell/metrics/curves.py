"""Curves of a figure along an even scale."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def area_under(values: Float[np.ndarray, " N"]) -> float:
    """The area under evenly spaced values, by trapezoids, on a scale of length 1: their mean height."""
    return float(np.trapezoid(values) / (len(values) - 1))
