"""Damaged videos before the commands that read videos."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.alone import Ended, attcell, half_written, run_alone
from benchmarks.damage.mutations import BYTES, packets
from benchmarks.damage.originals import write_originals

COMMANDS = ("data check", "predict", "detect", "extract flow", "test")
MUTATIONS = (*BYTES, "packets")


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        kind: of the input, such as a container and codec.
        mutation: what was done to it.
        command: what read it.
        outcome: of videos ``done``, or ``named`` as damaged or refused.
        fault: what is wrong with that; empty if nothing.
        detail: the end of what was said, for a fault.
    """

    kind: str
    mutation: str
    command: str
    outcome: str
    fault: str = ""
    detail: str = ""


def video_case(seed: int, number: int, originals: Path, models: Path, work: Path) -> Outcome:
    """The case of this number: a damaged video, two calls of the program, judged."""
    rng = np.random.default_rng((seed, number))
    files = write_originals(originals)
    file, other = (files[int(place)] for place in rng.integers(0, len(files), 2))
    mutation, command = str(rng.choice(MUTATIONS)), str(rng.choice(COMMANDS))
    shutil.rmtree(work, ignore_errors=True)
    video = work / "videos" / "run" / f"odd{file.suffix}"
    video.parent.mkdir(parents=True)
    if mutation != "packets" or not packets(rng, file, video):
        damaged = BYTES.get(mutation, BYTES["hole"])(rng, file.read_bytes(), other.read_bytes())
        video.write_bytes(damaged)
    ended = run_alone(_call(command, video, models), work)
    frames = run_alone(partial(_print_frames, video), work)
    fault = ended.fault() or half_written(work) or _not_named(ended, video) or _frames_fault(frames)
    outcome = "done" if ended.status == 0 else "named"
    worse = frames if frames.fault() and not ended.fault() else ended
    return Outcome(file.name, mutation, command, outcome, fault, worse.err[-2000:] if fault else "")


def _call(command: str, video: Path, models: Path) -> Callable[[], None]:
    folder, model = str(video.parents[1]), str(models / "frame")
    words = {
        "data check": ("data", "check", folder, "--json", "-"),
        "predict": ("predict", str(video), "--model", model, "--json", "found.json"),
        "detect": ("detect", str(video), "--model", str(models / "flow"), "--json", "found.json"),
        "extract flow": ("extract", "flow", folder, "flow", "--workers", "1"),
        "test": ("test", model, "--data", folder, "--out", "test"),
    }
    return attcell(*words[command])


def _not_named(ended: Ended, video: Path) -> str:
    if ended.status == 0 or video.name in ended.err + ended.out:
        return ""
    return "the video is not named"


def _print_frames(video: Path) -> None:
    """The digest of all frames, or the message, twice."""
    print(json.dumps([_digest(video), _digest(video)]))


def _digest(video: Path) -> str:
    from attcell.errors import AttcellError
    from attcell.video.decode import read_frames

    try:
        decoded = read_frames(video, np.arange)
    except AttcellError as error:
        return f"refused: {error}"
    digest = hashlib.sha256()
    for image in decoded.images:
        digest.update(str(image.shape).encode() + image.tobytes())
    return f"{len(decoded.images)} frames, {digest.hexdigest()}"


def _frames_fault(ended: Ended) -> str:
    if ended.fault():
        return f"decoding: {ended.fault()}"
    if ended.status:
        return f"decoding: exit status {ended.status}"
    first, second = json.loads(ended.out)
    return "" if first == second else "other frames the second time"
