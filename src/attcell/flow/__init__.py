"""Optical flow on any device, and the pictures that networks see of it.

Everything is imported when it is first used: flow between NumPy arrays needs no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell.flow._machine_code import cache_folder, num_cores
    from attcell.flow._settings import PRESETS, TVL1
    from attcell.flow._tvl1 import tvl1, use_threads
    from attcell.flow.codes import dequantize, flow_picture, flow_stack, mirrored_codes, quantize
    from attcell.flow.colours import flow_colours, flow_scale, wheel_picture
    from attcell.flow.pair import brightness_error, flow_between, grey, warped

_HOMES = {
    "PRESETS": "attcell.flow._settings",
    "TVL1": "attcell.flow._settings",
    "brightness_error": "attcell.flow.pair",
    "cache_folder": "attcell.flow._machine_code",
    "dequantize": "attcell.flow.codes",
    "flow_between": "attcell.flow.pair",
    "flow_colours": "attcell.flow.colours",
    "flow_picture": "attcell.flow.codes",
    "flow_scale": "attcell.flow.colours",
    "flow_stack": "attcell.flow.codes",
    "grey": "attcell.flow.pair",
    "mirrored_codes": "attcell.flow.codes",
    "num_cores": "attcell.flow._machine_code",
    "quantize": "attcell.flow.codes",
    "tvl1": "attcell.flow._tvl1",
    "use_cores": "attcell.flow._machine_code",
    "use_threads": "attcell.flow._tvl1",
    "warped": "attcell.flow.pair",
    "wheel_picture": "attcell.flow.colours",
}

__all__ = [
    "PRESETS",
    "TVL1",
    "brightness_error",
    "cache_folder",
    "dequantize",
    "flow_between",
    "flow_colours",
    "flow_picture",
    "flow_scale",
    "flow_stack",
    "grey",
    "mirrored_codes",
    "num_cores",
    "quantize",
    "tvl1",
    "use_cores",
    "use_threads",
    "warped",
    "wheel_picture",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attcell.flow' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
