"""Optical flow on tensors, on any device, and the pictures that networks see of it."""

from attcell.flow._machine_code import cache_folder
from attcell.flow._settings import PRESETS, TVL1
from attcell.flow._tvl1 import tvl1
from attcell.flow.codes import dequantize, flow_picture, flow_stack, mirrored_codes, quantize

__all__ = [
    "PRESETS",
    "TVL1",
    "cache_folder",
    "dequantize",
    "flow_picture",
    "flow_stack",
    "mirrored_codes",
    "quantize",
    "tvl1",
]
