"""Options that several commands have, and how a command ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from attcell._log import logger
from attcell._urls import path_or_url
from attcell.choices import ClipCrops


def path(text: str) -> Path:
    """A path, or the URL of something on a server. Typer's own would take a slash out of a URL."""
    return path_or_url(text)


ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A model folder, a Hugging Face id, a ready model (attcell models), or an ONNX file of attcell "
        "export; by default kinetics/mvit_v2_s.",
    ),
]
NumClips = Annotated[
    int | None,
    typer.Option(min=1, help="Of a ready model: clips, evenly spread; by default as it was tested."),
]
Crops = Annotated[
    ClipCrops | None, typer.Option(help="Of a ready model: 1, the middle, or 3, the ends too; averaged.")
]
_VIDEOS_HELP = (
    "Videos of any length: files, URLs, folders of videos or of frames, patterns in quotation marks "
    '("clips/**/*.mp4"), a .txt with a path a line, or - for stdin.'
)
Videos = Annotated[list[Path], typer.Argument(help=_VIDEOS_HELP, parser=path)]
VideosOrNone = Annotated[list[Path] | None, typer.Argument(help=_VIDEOS_HELP, parser=path)]
Live = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Watch a stream, and print each action as a line of JSON as soon as it is over: a file, "
        "http://…, rtsp://…, camera:0, or - for stdin.",
    ),
]
LiveWindow = Annotated[
    float, typer.Option("--window", help="Of --live: seconds of the stream that the rule sees at a time.")
]
LiveFor = Annotated[
    float | None, typer.Option("--for", help="Of --live: seconds until it ends; by default with the stream.")
]
LiveReconnects = Annotated[
    int, typer.Option(help="Of --live: attempts in a row to connect again; the waits between them double.")
]
Device = Annotated[
    str | None,
    typer.Option(help="Where the network runs: cpu, cuda, cuda:1 or mps; by default a GPU if there is one."),
]
ListRoot = Annotated[Path | None, typer.Option(help="What a list's paths are relative to.", parser=path)]
NumSegments = Annotated[int | None, typer.Option(min=1, help="T; by default the recipe's.")]
RecipeName = Annotated[str, typer.Argument(help="A recipe in YAML, or a packaged one's name.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")]
Row = Annotated[str | None, typer.Option(help="Of a recipe that is a table: which row.")]
VideosJson = Annotated[
    str | None,
    typer.Option("--json", help="Write to this file, or - for stdout; to - and .jsonl a line a video."),
]
MetricsJson = Annotated[
    str | None, typer.Option("--json", help="Write the figures to this file, or - for stdout.")
]
Report = Annotated[Path | None, typer.Option(help="Write a page to look at.")]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="Where: ray, a Ray cluster of its own on this machine; auto or HOST:PORT, one that runs. By "
        "default here.",
    ),
]
Jobs = Annotated[
    int, typer.Option(min=1, help="How many trainings go side by side; with several GPUs, each on its own.")
]


def model_or_default(name: str | None) -> str:
    """The model's name; the default one where none was given."""
    from attcell.models.ready.registry import DEFAULT

    return name or DEFAULT


@contextmanager
def working_on(on: str | None) -> Iterator[None]:
    """What walks a list of videos does so there; arguments and errors as of :func:`attcell.on_ray`, and
    None is here.
    """
    if on is None:
        yield
        return
    from attcell._ray.cluster import on_ray

    with on_ray(on):
        yield


def titles_of(videos: Sequence[Path]) -> dict[Path, str]:
    """What a progress bar calls each video, such as ``2/5 clip.mp4``."""
    return {video: f"{number}/{len(videos)} {video.name}" for number, video in enumerate(videos, 1)}


def files_of(*outputs: str | Path | None) -> list[Path]:
    """The outputs that are files: neither left out nor, where a text may say so, stdout."""
    return [Path(output) for output in outputs if output is not None and output != "-"]


def end(faults: Iterable[str]) -> None:
    """Say what was bad, and end with status 1 if anything was."""
    faults = list(faults)
    for fault in faults:
        logger.info(f"attcell: {fault}")
    if faults:
        raise typer.Exit(1)


def refuse_options(given: Mapping[str, object], what: str, advice: str) -> None:
    """Raise a CallError for the first of these options that was given, with a value or as a flag: it is not
    for ``what``, and the advice says what is.
    """
    from attcell.errors import CallError

    for option, value in given.items():
        if value is not None and value is not False:
            raise CallError(f"--{option} is not for {what}: {advice}")


def numbers(text: str, option: str) -> list[int]:
    """What a text such as 1,3 lists.

    Raises:
        CallError: it lists something else.
    """
    from attcell.errors import CallError

    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise CallError(f"{option} {text} are not whole numbers; give such as 1,3") from error
