"""``attcell data check`` and ``attcell synth``: what is in a data set, and data sets made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._terminal import put
from attcell.choices import MotionKind, SoundCodec, VideoKind, VideoLook
from attcell.cli.common.options import ListRoot, On, files_of, path, refuse_options, working_on
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.types import VideoRecord

data_app = typer.Typer(help="Look at data sets.", no_args_is_help=True, rich_markup_mode=None)


@data_app.command("check")
def check(
    source: Annotated[
        Path,
        typer.Argument(
            help="A folder per class or a list file, by path or URL, or the name of a data set, as ucf101.",
            parser=path,
        ),
    ],
    videos: Annotated[
        Path | None,
        typer.Argument(metavar="[ROOT]", help="Of a data set: the folder below which its videos lie."),
    ] = None,
    root: ListRoot = None,
    groups: Annotated[
        str | None,
        typer.Option(help="As data.groups of a recipe: an expression, a .csv, or column; say what it makes."),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Of a data set: where its official files lie; by default ROOT.")
    ] = None,
    names_only: Annotated[
        bool,
        typer.Option("--names-only", help="Of a data set: look which videos are there, and decode none."),
    ] = False,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the report as JSON to this file, or - for stdout.")
    ] = None,
    on: On = None,
) -> None:
    """Decode every video of a data set, and say what is there, what is missing, what cannot be read, and what
    looks like groups of videos that belong together.

    Example: attcell data check videos/train

    Example: attcell data check videos/train --groups '_(g[0-9]+)_'

    Example: attcell data check ucf101 UCF-101 --annotations ucfTrainTestlist --json ucf101.json
    """
    from attcell._files import write_json
    from attcell._log import track
    from attcell._paths import check_outputs
    from attcell._urls import path_or_url
    from attcell.data.check import CheckReport, check_source
    from attcell.data.check_set import SetReport, check_set
    from attcell.data.known_sets import KNOWN_SETS

    def progress(items: Sequence[VideoRecord]) -> Iterable[VideoRecord]:
        return track(items, len(items), "checking")

    of_groups = [] if groups is None else [path_or_url(groups)]  # of an expression no file has the name
    check_outputs(files_of(json_path), [source, *of_groups])
    report: CheckReport | SetReport
    if str(source) in KNOWN_SETS and (videos is not None or annotations is not None or not source.exists()):
        if videos is None or root is not None or groups is not None:
            raise CallError(
                f"{source} is a data set: give the folder of its videos, data check {source} ROOT, and "
                "neither --root nor --groups"
            )
        with working_on(on):
            report = check_set(str(source), videos, annotations, decode=not names_only, progress=progress)
    elif videos is not None or annotations is not None or names_only:
        raise CallError(
            f"{source} is no data set that is known by name ({', '.join(KNOWN_SETS)}); a folder or a list "
            "takes neither ROOT nor --annotations nor --names-only"
        )
    else:
        with working_on(on):
            report = check_source(source, root, progress, groups=groups)
    if json_path != "-":
        put(*report.lines())
    if json_path is not None:
        write_json(json_path, report.to_dict())
    if not report.ok:
        raise typer.Exit(1)


def synth(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    kind: Annotated[
        VideoKind, typer.Option(help="Is the action all of the video, or a quarter of it?")
    ] = "trimmed",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same videos.")] = 0,
    classes: Annotated[int, typer.Option(help="4, 6, 8 or 10.")] = 6,
    motions: Annotated[
        MotionKind,
        typer.Option(help="Told by a posture, which one frame shows, or by the figure's path alone?"),
    ] = "postures",
    look: Annotated[
        VideoLook, typer.Option(help="112 pixels, or 224 and pleasant to look at? The same happens in both.")
    ] = "plain",
    train: Annotated[int, typer.Option(min=0, help="Videos of each class for training.")] = 30,
    val: Annotated[int, typer.Option(min=0, help="Videos of each class for validation.")] = 5,
    test: Annotated[int, typer.Option(min=0, help="Videos of each class for testing.")] = 20,
    sound: Annotated[
        bool,
        typer.Option(
            "--sound",
            help="A class is an appearance and a sound, and only both at the same time tell it; without "
            "--motions.",
        ),
    ] = False,
    codec: Annotated[SoundCodec | None, typer.Option(help="Of --sound: aac (by default) or opus.")] = None,
    groups: Annotated[
        int | None,
        typer.Option(
            min=4,
            help="Instead of all but --seed: clips of two classes in so many groups of seven; a group has a "
            "scene of its own that leans to one class, and a quarter of the groups is for testing.",
        ),
    ] = None,
) -> None:
    """Generate small videos with known classes, actor boxes and action intervals.

    Example: attcell synth videos --kind untrimmed --seed 1

    Example: attcell synth heard --sound --kind untrimmed

    Example: attcell synth clips --groups 44
    """
    if groups is not None:
        _synth_groups(context, out, seed, groups)
        return
    from attcell._log import progress_bar
    from attcell.synth.sounding import write_sounding
    from attcell.synth.write import write_dataset

    write: Callable[..., Path]
    if sound:
        _refuse_given(context, ["motions"], "videos with sound", "--sound")
        write = partial(write_sounding, codec=codec or "aac")
    elif codec is not None:
        raise CallError("--codec is of videos with sound; give --sound too, or leave it out")
    else:
        write = partial(write_dataset, motions=motions)
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        write(
            out,
            kind,
            seed=seed,
            num_classes=classes,
            look=look,
            videos={"train": train, "val": val, "test": test},
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    put(f"{out}: {(train + val + test) * classes} videos of {classes} classes, truth in {out / 'truth.json'}")


def _synth_groups(context: typer.Context, out: Path, seed: int, groups: int) -> None:
    """Generate clips in groups.

    Raises:
        CallError: an option that has no say in that.
    """
    from attcell._log import progress_bar
    from attcell.synth.grouped import CLIPS, GROUPS, write_grouped

    names = ["kind", "classes", "motions", "look", "train", "val", "test", "sound", "codec"]
    _refuse_given(context, names, "clips in groups", "--groups")
    clips = round(CLIPS / GROUPS * groups)
    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        write_grouped(
            out,
            seed=seed,
            groups=groups,
            clips=clips,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    put(f"{out}: {clips} clips of 2 classes in {groups} groups, as their names tell (g01, g02, …)")


def _refuse_given(context: typer.Context, names: Sequence[str], what: str, option: str) -> None:
    """Raise a CallError where one of these options was given: it has no say in what ``option`` makes."""
    sources = {name: context.get_parameter_source(name) for name in names}
    given = {name: source is not None and source.name != "DEFAULT" for name, source in sources.items()}
    refuse_options(given, what, f"leave it out, or {option}")
