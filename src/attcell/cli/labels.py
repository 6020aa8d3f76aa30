"""``attcell labels``: found actions to annotation tools, and corrected ones back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from attcell._log import logger
from attcell._terminal import put
from attcell.choices import AnnotationTool
from attcell.cli.common.options import end, path
from attcell.errors import CallError

labels_app = typer.Typer(
    help="Found actions as pre-labels for annotation tools, and corrected ones back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_VideosFolder = Annotated[
    Path | None, typer.Option("--videos", help="The folder that the videos lie below.", parser=path)
]
_Fps = Annotated[float | None, typer.Option(help="Frames a second, where neither file nor video tells.")]
_Labels = Annotated[
    Path | None, typer.Option("--labels", help="The classes, one a line; any other is refused.")
]


@labels_app.command("export")
def export_labels(
    found: Annotated[Path, typer.Argument(help="What attcell detect --json or predict --json wrote.")],
    out: Annotated[Path, typer.Argument(help="A file; a folder where each video has a file of its own.")],
    format: Annotated[AnnotationTool, typer.Option(help="The tool.")],
    videos: _VideosFolder = None,
    fps: _Fps = None,
    labels: _Labels = None,
    prefix: Annotated[str, typer.Option(help="What stands before a video's name, such as a URL.")] = "",
    least_score: Annotated[float, typer.Option(help="Leave out what was found with less.")] = 0.0,
) -> None:
    """Write found actions as pre-labels with scores, to be corrected in an annotation tool.

    Example: attcell labels export found.json tasks.json --format label-studio

    Example: attcell labels export found.json cvat --format cvat --videos videos
    """
    from attcell._paths import check_outputs
    from attcell.annotation_tools.found import completed, read_found
    from attcell.annotation_tools.records import Wanted, check
    from attcell.annotation_tools.registry import FORMATS, write_labels
    from attcell.annotation_tools.videos import Videos

    if out.suffix:
        check_outputs([out], [found])
    known, here = _classes(labels), Videos(videos, fps)
    said = read_found(found, least_score)
    check(found, said.videos, known)
    needs_size = FORMATS[format].needs_size
    complete = tuple(
        replace(completed(video, here, need_size=needs_size), video=here.name(video.video))
        for video in said.videos
    )
    written = write_labels(out, format, Wanted(complete, known or said.labels, prefix))
    count = sum(len(video.actions) for video in complete)
    put(f"{count} actions in {len(complete)} videos", *(f"written: {file}" for file in written))
    end(f"{video}: {why}" for video, why in said.failed.items())


@labels_app.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(help="What the tool exported, or a folder of such files.")],
    out: Annotated[Path, typer.Argument(help="truth.json: true actions; train.csv: a list to train on.")],
    format: Annotated[
        AnnotationTool | None, typer.Option(help="The tool; by default what the file's content tells.")
    ] = None,
    videos: _VideosFolder = None,
    fps: _Fps = None,
    labels: _Labels = None,
    subset: Annotated[str, typer.Option(help="Of truth: the part that the videos are of.")] = "validation",
) -> None:
    """Read corrected actions: as truth, which attcell score detection reads, or as a list to train on.

    Example: attcell labels import project.json truth.json

    Example: attcell labels import annotations.xml train.csv --videos videos
    """
    from attcell._paths import check_outputs
    from attcell.annotation_tools.records import check, merged
    from attcell.annotation_tools.registry import read_labels
    from attcell.annotation_tools.truth import write_list, write_truth
    from attcell.annotation_tools.videos import Videos

    check_outputs([out], [file])
    if out.suffix not in (".json", ".csv"):
        raise CallError(f"{out}: truth is written to a .json file, a list to train on to a .csv; name one")
    known, here = _classes(labels), Videos(videos, fps)
    read = read_labels(file, format, here)
    check(file, read.videos, known)
    named = tuple(merged(replace(video, video=here.name(video.video)) for video in read.videos))
    for note in read.notes:
        logger.info(f"attcell: {note}")
    if out.suffix == ".json":
        write_truth(out, named, subset)
    else:
        without = write_list(out, named)
        if without:
            logger.info(
                f"attcell: {len(without)} videos without an action are left out, such as {without[0]}"
            )
    put(f"{sum(len(video.actions) for video in named)} actions in {len(named)} videos", f"written: {out}")


def _classes(file: Path | None) -> tuple[str, ...] | None:
    """The classes that a file names, one a line; None without a file.

    Raises:
        CallError: no such file.
        DataError: it names none, or one twice.
    """
    from attcell.data.listing import read_class_names

    if file is None:
        return None
    if not file.is_file():
        raise CallError(f"--labels {file}: no such file; give a text file with a class on each line")
    return read_class_names(file)
