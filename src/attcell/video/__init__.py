"""From a video to the input of each of a network's streams.

A video's way: ``decode`` reads a file, ``frame_folder`` a folder of pictures; ``sampling`` says which frames
stand for its segments, ``transforms`` which part of them is seen; ``modalities`` is the registry of what
streams get (frame, flow, clip, audio, features, or one of your own by ``register``) by ``readers``, with flow
computed (``optical_flow``) or taken from disk (``flow_source``, ``flow_files``), the sound beside the frames
(``sound``) as pictures (``log_mel``), and features that were computed elsewhere (``features``);
``input_spec`` holds the recipe's numbers, ``inputs`` puts this together for some frame indices, and ``parts``
for whole videos of any length.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell.video.decode import count_frames, read_frames
    from attcell.video.info import VideoInfo
    from attcell.video.input_spec import InputSpec
    from attcell.video.modalities import Modality, modality, modality_names, register
    from attcell.video.optical_flow import FlowSpec, video_flow
    from attcell.video.parts import ViewPart, ViewParts
    from attcell.video.readers import FramesAround, Origin, Sheet
    from attcell.video.sampling import ViewPlan
    from attcell.video.sound import Sound, read_sound
    from attcell.video.transforms import FrameSpec

_HOMES = {
    "decode": ("count_frames", "read_frames"),
    "info": ("VideoInfo",),
    "input_spec": ("InputSpec",),
    "modalities": ("Modality", "modality", "modality_names", "register"),
    "optical_flow": ("FlowSpec", "video_flow"),
    "parts": ("ViewPart", "ViewParts"),
    "readers": ("FramesAround", "Origin", "Sheet"),
    "sampling": ("ViewPlan",),
    "sound": ("Sound", "read_sound"),
    "transforms": ("FrameSpec",),
}

__all__ = [
    "FlowSpec",
    "FrameSpec",
    "FramesAround",
    "InputSpec",
    "Modality",
    "Origin",
    "Sheet",
    "Sound",
    "VideoInfo",
    "ViewPart",
    "ViewParts",
    "ViewPlan",
    "count_frames",
    "modality",
    "modality_names",
    "read_frames",
    "read_sound",
    "register",
    "video_flow",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"attcell.video.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
