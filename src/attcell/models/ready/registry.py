"""The ready models: their names, what is known of each, and the network behind a name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from attcell.config.hub import is_hub_name
from attcell.errors import CallError
from attcell.models.ready.hub import hub_labels, hub_network
from attcell.models.ready.kinetics import NAMES, PREFIX, kinetics_entry
from attcell.models.ready.network import ReadyNetwork

DEFAULT = "kinetics/mvit_v2_s"  # what attcell predict and detect take where no model is named


@dataclass(frozen=True)
class ReadyInfo:
    """A line of ``attcell models``.

    Attributes:
        name: what ``--model`` takes.
        megabytes: of the download.
        top1, top5: accuracy in percent as it was published, and of what.
        tested_on: the data set of these.
        clip_frames, clip_rate, num_clips: what it is shown of a video.
        path: of its weights on this machine.
        is_here: whether they are there.
    """

    name: str
    megabytes: float
    top1: float
    top5: float
    tested_on: str
    clip_frames: int
    clip_rate: float
    num_clips: int
    path: str
    is_here: bool


def is_ready(name: str) -> bool:
    """Whether a name is that of a ready model, known or not, and not of a model that attcell trained."""
    return name.startswith(PREFIX) or is_hub_name(name)


def refuse_unknown(name: str) -> None:
    """Raise a CallError for the name of a ready model that is none.

    Raises:
        CallError: unknown, with the names that are close to it.
    """
    if not name.startswith(PREFIX) or name in NAMES:
        return
    close = difflib.get_close_matches(name, NAMES, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    raise CallError(
        f"unknown ready model {name}{hint} Allowed: {', '.join(NAMES)}, hf/OWNER/NAME, or a folder; attcell "
        "models tells of them"
    )


def ready_network(name: str) -> ReadyNetwork:
    """The network of this name with its weights, which are downloaded if they are not on this machine.

    Args:
        name: one of torchvision's, such as ``kinetics/mvit_v2_s``; ``hf/OWNER/NAME``, or a folder in
            transformers' form.

    Raises:
        CallError: an unknown name, or no video classifier that is known here.
        ModelError: weights that cannot be downloaded, or are damaged.
    """
    refuse_unknown(name)
    return kinetics_entry(name).load() if name.startswith(PREFIX) else hub_network(name)


def ready_labels(name: str) -> tuple[str, ...]:
    """The classes of the ready model of this name; none of its weights are downloaded. Errors as of
    :func:`ready_network`.
    """
    refuse_unknown(name)
    return kinetics_entry(name).labels if name.startswith(PREFIX) else hub_labels(name)


def ready_infos() -> list[ReadyInfo]:
    """What is known of each of torchvision's, without loading any."""
    infos = []
    for entry in map(kinetics_entry, NAMES):
        clip, (top1, top5) = entry.clip, entry.accuracy
        infos.append(
            ReadyInfo(
                name=entry.name,
                megabytes=round(entry.megabytes, 1),
                top1=top1,
                top5=top5,
                tested_on="Kinetics-400",
                clip_frames=clip.num_frames,
                clip_rate=clip.rate,
                num_clips=clip.num_clips,
                path=str(entry.path),
                is_here=entry.path.is_file(),
            )
        )
    return infos
