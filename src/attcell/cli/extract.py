"""``attcell extract``: what is slow, computed once for a whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attcell.choices import CameraMotion, FlowMethod, FlowStorage
from attcell.cli._options import ListRoot, On, working_on
from attcell.errors import CallError

extract_app = typer.Typer(
    help="Compute once for a whole data set what is slow.", no_args_is_help=True, rich_markup_mode=None
)


@extract_app.command()
def flow(
    source: Annotated[Path, typer.Argument(help="A folder, all videos below it; or a list file.")],
    out: Annotated[Path, typer.Argument(help="The store: each video becomes a folder or a file in it.")],
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
    from attcell.data.sources import read_source, videos_below
    from attcell.inference.extract_flow import Layout, extract_flow
    from attcell.inference.flow_jobs import refuse_inside
    from attcell.video.optical_flow import FlowSpec

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


def _shard(text: str) -> tuple[int, int]:
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise CallError(f"--shard is {text!r}; give i/n with 1 <= i <= n, such as 2/8")
    return int(number), int(total)
