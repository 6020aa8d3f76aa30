"""``attcell extract``: what is slow, computed once for a whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attcell.choices import CameraMotion, FeatureFormat, FlowMethod, FlowStorage, ViewsOf
from attcell.cli.common.options import ListRoot, On, Overrides, Row, path, refuse_options, working_on
from attcell.errors import CallError

extract_app = typer.Typer(
    help="Compute once for a whole data set what is slow.", no_args_is_help=True, rich_markup_mode=None
)


@extract_app.command()
def flow(
    source: Annotated[
        Path,
        typer.Argument(help="A folder, all videos below it; or a list file.", parser=path),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="The store: each video becomes a folder or a file in it.", parser=path),
    ],
    method: Annotated[
        FlowMethod,
        typer.Option(
            help="TV-L1 as in the papers, with a fast or a fine schedule; DIS of OpenCV; RAFT of torchvision."
        ),
    ] = "paper",
    bound: Annotated[float, typer.Option(help="Pixels of motion that codes 0 and 255 stand for.")] = 20.0,
    short_side: Annotated[int, typer.Option(min=1, help="Scale frames down to this first.")] = 256,
    camera: Annotated[
        CameraMotion,
        typer.Option(
            help="Keep the camera's motion, or take it out: by the median, or a homography (OpenCV)."
        ),
    ] = "keep",
    form: Annotated[
        FlowStorage, typer.Option(help="One folder of JPEGs a video, or one ZIP file.")
    ] = "folder",
    frames: Annotated[bool, typer.Option(help="Keep the frames too, as img_00001.jpg.")] = True,
    root: ListRoot = None,
    shard: Annotated[
        str, typer.Option(help="i/n: only every n-th video from the i-th, for n runs side by side.")
    ] = "1/1",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes, which share the cores; by default one for each eight, at least two."
        ),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Replace flow made otherwise.")] = False,
    on: On = None,
) -> None:
    """Compute the optical flow of every video, as flow_x_00001.jpg and flow_y_00001.jpg. Run again to go on.

    Example: attcell extract flow videos/train flow/train --method fast
    """
    from attcell._log import logger
    from attcell._paths import check_output
    from attcell._terminal import put
    from attcell._urls import is_url
    from attcell.data.sources import read_source, videos_below
    from attcell.inference.extract_flow import Layout, extract_flow
    from attcell.inference.flow_jobs import refuse_folders, refuse_inside
    from attcell.video.optical_flow import FlowSpec

    if is_url(out):
        refuse_folders(out, form)
    else:
        check_output(out, is_folder=True)
    layout = Layout(form, frames)
    if source.is_dir():
        refuse_inside(source, out, layout)
    with working_on(on):
        outcome = extract_flow(
            videos_below(source) if source.is_dir() and root is None else read_source(source, root),
            out,
            FlowSpec(method, bound, short_side, camera),
            layout=layout,
            shard=_shard(shard),
            workers=workers,
            rebuild=rebuild,
        )
    for message in (*outcome.failed.values(), *outcome.notes):
        logger.info(f"attcell: {message}")
    put(
        f"{out}: {outcome.num_written} videos computed, {outcome.num_kept} there already, "
        f"{len(outcome.failed)} failed"
    )
    if outcome.failed:
        raise typer.Exit(1)


@extract_app.command()
def features(
    source: Annotated[
        Path,
        typer.Argument(help="A folder per class, any folder of videos; or a list file.", parser=path),
    ],
    out: Annotated[
        Path,
        typer.Argument(help="The cache folder; with --format npy where the arrays go.", parser=path),
    ],
    overrides: Overrides = None,
    recipe: Annotated[
        str | None, typer.Option(help="By path or name: its frozen backbones, pictures and segments.")
    ] = None,
    row: Row = None,
    model: Annotated[
        str | None, typer.Option(help="Or of this model: a folder, or a Hugging Face id.")
    ] = None,
    views: Annotated[
        ViewsOf | None,
        typer.Option(
            help="What a training keeps, what its test sees, or both; by default train, and test of a model "
            "or with --format npy."
        ),
    ] = None,
    form: Annotated[
        FeatureFormat | None,
        typer.Option(
            "--format",
            help="A file a video; shards, for very many videos; or for others one array a video. By default "
            "as OUT has them, or as the recipe says.",
        ),
    ] = None,
    root: ListRoot = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode; by default the recipe's.")
    ] = None,
    on: On = None,
) -> None:
    """Compute the features of frozen backbones, as a training with cache.folder=OUT, or a test with --cache
    OUT, would, and finds them. Run again to go on.

    Example: attcell extract features videos/train features --recipe stan-small --format shards
    """
    from attcell._log import logger
    from attcell._paths import check_output
    from attcell._terminal import put
    from attcell._urls import is_url
    from attcell.inference.extraction.features import FeaturesCall, extract_features_of

    if not is_url(out):
        check_output(out, is_folder=True)
    if (recipe is None) == (model is None):
        raise CallError("whose features: give either --recipe, or --model")
    if model is not None:
        refuse_options(
            {"row": row}, "a model", "it has its own recipe; name its model folder and nothing of a recipe"
        )
        if overrides:
            raise CallError(f"{overrides[0]} is for a recipe, and {model} has its own; leave it out")
    of_recipe, given = None if recipe is None else (recipe, row), tuple(overrides or ())
    asked = FeaturesCall(source, out, root, of_recipe, given, model, views, form, workers)
    with working_on(on):
        outcome = extract_features_of(asked)
    for message in outcome.failed.values():
        logger.info(f"attcell: {message}")
    put(
        f"{out}: {outcome.num_written} videos computed, {outcome.num_kept} there already, "
        f"{len(outcome.failed)} failed"
    )
    if outcome.failed:
        raise typer.Exit(1)


def _shard(text: str) -> tuple[int, int]:
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise CallError(f"--shard is {text!r}; give i/n with 1 <= i <= n, such as 2/8")
    return int(number), int(total)
