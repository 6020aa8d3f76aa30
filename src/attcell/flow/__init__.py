"""Optical flow on tensors, on any device, and the pictures that networks see of it."""

from attcell.flow.codes import dequantize, flow_picture, flow_stack, mirrored_codes, quantize
from attcell.flow.tvl1 import PRESETS, TVL1, tvl1

__all__ = [
    "PRESETS",
    "TVL1",
    "dequantize",
    "flow_picture",
    "flow_stack",
    "mirrored_codes",
    "quantize",
    "tvl1",
]
