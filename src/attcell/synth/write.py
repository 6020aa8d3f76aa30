"""Writing a whole generated set: ``split/class/000.mp4`` and, last of all, ``truth.json``.

A set goes to a new folder, or to one that the same call began.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from torch.utils.data import Dataset

from attcell._checks import path_of, shown, whole_number
from attcell._files import read_json, write_text, written_whole
from attcell._owners import is_empty, remove_left_overs
from attcell._shared_memory import data_loader, workers_for
from attcell.choices import SoundCodec, VideoLook
from attcell.errors import CallError, DataError
from attcell.synth.render import RenderedVideo, render
from attcell.synth.scene import FPS, KINDS, SIZE, SPLITS, VideoPlan, plan_video, ring
from attcell.synth.smooth import SIDE, render_smooth
from attcell.synth.tones import RATE
from attcell.synth.truth import FILE_NAME, FORMAT, Truth, VideoTruth, read_truth, write_truth
from attcell.types import Size

DEFAULT_VIDEOS: Mapping[str, int] = {"train": 30, "val": 5, "test": 20}  # of each class
# With its look-ahead, x264 now and then gives other bytes for the same frames.
_ENCODING = {"crf": "24", "preset": "veryfast", "x264-params": "rc-lookahead=0:mbtree=0:weightp=0:bframes=0"}
BIT_RATE = 64_000  # of sound
_QUICK_ENCODING = {**_ENCODING, "preset": "ultrafast"}  # half the time to write and to read, twice the size
_PARAMETERS = "parameters.json"  # written first: a folder that holds it, and not other values, can be resumed
_PROCESSES = 2  # drawing holds Python's lock, so that threads would wait for each other


class DrawnLook(NamedTuple):
    """How a look is drawn, the side of its frames, and how they are encoded."""

    render: Callable[[VideoPlan], RenderedVideo]
    side: int
    encoding: Mapping[str, str]


LOOKS: Mapping[VideoLook, DrawnLook] = {
    "plain": DrawnLook(render, SIZE, _ENCODING),
    "smooth": DrawnLook(render_smooth, SIDE, _QUICK_ENCODING),
}


@dataclass(frozen=True)
class _Job:
    """One video to write."""

    name: str
    split: str
    label: int
    number: int


@dataclass(frozen=True, eq=False)
class _Work(Dataset[VideoTruth | OSError]):
    """The jobs as a data set: to take one is to write it. An error is a value, to keep what it names."""

    out: Path
    kind: str
    seed: int
    motions: str
    look: VideoLook
    in_turn: bool
    labels: tuple[str, ...]
    jobs: tuple[_Job, ...]

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, place: int) -> VideoTruth | OSError:
        job = self.jobs[place]
        look = LOOKS[self.look]
        drawn = look.render(
            plan_video(
                self.kind,
                job.label,
                seed=self.seed,
                split=job.split,
                number=job.number,
                num_classes=len(self.labels),
                motions=self.motions,
                in_turn=self.in_turn,
            )
        )
        try:
            if not (self.out / job.name).exists():
                write_mp4(self.out / job.name, drawn.frames, encoding=look.encoding)
        except OSError as error:
            return error
        return truth_of(self.labels[job.label], drawn)


def write_dataset(
    out: str | Path,
    kind: str = "trimmed",
    *,
    seed: int = 0,
    num_classes: int = 6,
    motions: str = "postures",
    look: VideoLook = "plain",
    in_turn: bool = False,
    videos: Mapping[str, int] = DEFAULT_VIDEOS,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a set of generated videos to the folder ``out`` and return ``out``.

    Every video is written whole or not at all and ``truth.json`` comes last, so a broken-off run is taken
    up again by the same call, and a finished set is left as it is.

    Args:
        out: a new or empty folder, or one that the same call began.
        kind: ``trimmed`` or ``untrimmed``.
        seed: the same seed gives the same videos; a video does not depend on how many others there are.
        num_classes: 4, 6, 8 or 10.
        motions: ``postures``, which one frame tells, or ``paths``, which only the movement tells.
        look: ``plain``, frames of 112×112, or ``smooth``, of 224×224, in which the same happens.
        in_turn: in untrimmed videos the grey figure acts while the actor does not, as far as there is time.
        videos: how many of each class in ``train``, ``val`` and ``test``.
        progress: called with (videos done, videos in all) after each one.

    Raises:
        CallError: a value that is not allowed, or a folder that holds something else.
        DataError: a finished set from which videos are missing.
    """
    out = path_of(out, "out", "videos")
    seed = whole_number(seed, "seed", least=0)
    labels = [c.name for c in ring(num_classes, motions)]
    num_classes = len(labels)
    side, videos = look_named(look).side, checked_videos(kind, videos)
    parameters = {
        "format": FORMAT,
        "kind": kind,
        "seed": seed,
        "num_classes": num_classes,
        "motions": motions,
        **({} if look == "plain" else {"look": look}),  # which the first sets did not have
        **({"in_turn": True} if in_turn else {}),
    }
    claim(out, {**parameters, "videos": {split: videos.get(split, 0) for split in SPLITS}})
    jobs = [
        _Job(f"{split}/{labels[label]}/{number:03d}.mp4", split, label, number)
        for split, label, number in every_video(videos, num_classes)
    ]
    work = _Work(out, kind, seed, motions, look, in_turn, tuple(labels), tuple(jobs))
    truth = Truth(kind, seed, Size(side, side), FPS, tuple(sorted(labels)), {})
    return finished_set(out, truth, work, [job.name for job in jobs], progress)


def every_video(videos: Mapping[str, int], num_classes: int) -> Iterator[tuple[str, int, int]]:
    """(split, label, number) of every video of a set, in their order; ``videos`` are how many of a class."""
    for split in SPLITS:
        for label in range(num_classes):
            yield from ((split, label, number) for number in range(videos.get(split, 0)))


def finished_set(
    out: Path,
    truth: Truth,
    work: Dataset[VideoTruth | OSError],
    names: Sequence[str],
    progress: Callable[[int, int], None] | None,
) -> Path:
    """Write the videos of a data set that are missing, and last of all ``truth.json``; return ``out``.

    Args:
        out: the folder, which was claimed.
        truth: of the set, without its videos.
        work: to take one is to write a video.
        names: of the videos, in the order of ``work``.
        progress: called with (videos done, videos in all) after each one.

    Raises:
        DataError: a finished set from which videos are missing.
        OSError: a video cannot be written.
    """
    if (out / FILE_NAME).exists():
        check_finished(out, names)
        return out
    clear_left_overs(out)
    write_truth(replace(truth, videos=_written_truths(work, names, progress)), out / FILE_NAME)
    return out


def _written_truths(
    work: Dataset[VideoTruth | OSError],
    names: Sequence[str],
    progress: Callable[[int, int], None] | None,
) -> dict[str, VideoTruth]:
    """Name → truth of all videos of a data set of which to take one is to write it, by several processes.

    Raises OSError for one that cannot be written.
    """
    truths: dict[str, VideoTruth] = {}
    done = data_loader(work, batch_size=None, collate_fn=_as_it_is, num_workers=workers_for(_PROCESSES))
    for name, truth in zip(names, done, strict=True):
        if isinstance(truth, OSError):
            raise truth
        truths[name] = truth
        if progress is not None:
            progress(len(truths), len(names))
    return truths


def _as_it_is(outcome: Any) -> Any:
    return outcome


def write_mp4(
    path: Path,
    frames: np.ndarray,
    rate: int = FPS,
    encoding: Mapping[str, str] = _ENCODING,
    sound: tuple[SoundCodec, np.ndarray] | None = None,
) -> None:
    """Encode (N, H, W, 3) uint8 RGB frames as H.264, whole or not at all.

    Args:
        path: the file.
        frames: of even width and height.
        rate: frames a second.
        encoding: x264's options.
        sound: its codec, and one channel of samples (S,) float32 at 48 kHz, which begin with the first frame.
    """
    with written_whole(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=dict(encoding))
        stream.codec_context.thread_count = 1  # several videos are written at a time
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, rate)
        heard = None if sound is None else _sound_stream(container, sound[0])  # before anything is written
        for place, frame in enumerate(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            if heard is not None and sound is not None:
                part = slice(place * RATE // rate, (place + 1) * RATE // rate)
                container.mux(heard.encode(_sound_frame(sound[1][part], part.start)))
        container.mux(stream.encode())
        if heard is not None:
            container.mux(heard.encode())


def _sound_stream(container: av.container.OutputContainer, codec: SoundCodec) -> av.AudioStream:
    stream = container.add_stream("aac" if codec == "aac" else "libopus", rate=RATE)
    assert isinstance(stream, av.AudioStream), "both are codecs of sound"
    stream.codec_context.layout, stream.codec_context.bit_rate = "mono", BIT_RATE
    return stream


def _sound_frame(samples: np.ndarray, first: int) -> av.AudioFrame:
    """Samples that begin with number ``first``; an encoder turns them into its own format."""
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
    return frame


def look_named(look: str) -> DrawnLook:
    """The look of a name. Raises CallError for an unknown one."""
    for name, drawn in LOOKS.items():
        if name == look:
            return drawn
    raise CallError(f"unknown look {look!r}; choose one of {', '.join(LOOKS)}")


def checked_videos(kind: str, videos: Mapping[str, int]) -> dict[str, int]:
    """``videos`` with plain numbers. Raises CallError for others, and for an unknown ``kind``."""
    if kind not in KINDS:
        raise CallError(f"unknown kind of generated video {kind!r}; choose one of {', '.join(KINDS)}")
    if not isinstance(videos, Mapping):
        raise CallError(f'videos are {shown(videos)}; give splits and numbers, such as {{"train": 30}}')
    unknown = [split for split in videos if split not in SPLITS]
    if unknown:
        raise CallError(f"unknown split {unknown[0]!r}; the splits are {', '.join(SPLITS)}")
    numbers = {split: whole_number(count, f"videos[{split!r}]", least=0) for split, count in videos.items()}
    if not any(numbers.values()):
        raise CallError(f"{numbers} videos of each class; choose numbers from 0 on, not all of them 0")
    return numbers


def truth_of(label: str, drawn: RenderedVideo) -> VideoTruth:
    """The truth of a drawn video."""
    action = np.array(drawn.action, dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], action.astype(int), [0]))))
    boxes = np.array([(np.nan,) * 4 if box is None else box for box in drawn.boxes], dtype=np.float64)
    intervals = tuple((float(a) / FPS, float(b) / FPS) for a, b in edges.reshape(-1, 2))
    return VideoTruth(label, len(action), intervals, boxes, action)


def clear_left_overs(out: Path) -> None:
    """Remove what killed runs left behind."""
    for folder in out.glob("*/*"):
        remove_left_overs(folder)


def claim(out: Path, parameters: dict[str, Any]) -> None:
    """Make ``out`` ours, or refuse: it must be new, empty, or begun with the same parameters.

    Raises:
        CallError: it is something else.
    """
    if out.exists() and not out.is_dir():
        raise CallError(f"{out} is a file; name a new or empty folder")
    if is_empty(out):
        write_text(out / _PARAMETERS, json.dumps(parameters) + "\n")
        return
    try:
        found = read_json(out / _PARAMETERS)
    except FileNotFoundError:
        raise CallError(
            f"{out} is not empty and holds no generated set; name a new or empty folder"
        ) from None
    except (OSError, ValueError) as error:
        raise CallError(
            f"{out / _PARAMETERS} cannot be read ({error}); name a new or empty folder"
        ) from error
    if found != parameters:
        raise CallError(
            f"{out} holds another generated set ({_said(found)}) than the one asked for "
            f"({_said(parameters)}); name a new or empty folder, or delete that one"
        )


def _said(parameters: Any) -> str:
    if not isinstance(parameters, dict):
        return "unreadable parameters"
    return ", ".join(f"{key} {value}" for key, value in parameters.items())


def check_finished(out: Path, names: Sequence[str]) -> None:
    """Raise a DataError if videos are missing from a finished set."""
    known = read_truth(out).videos
    missing = [name for name in names if name not in known or not (out / name).exists()]
    if missing:
        raise DataError(
            f"{out} is a finished set but {missing[0]} is missing (and {len(missing) - 1} more); "
            f"delete {out / FILE_NAME} and call again to write the missing ones"
        )
