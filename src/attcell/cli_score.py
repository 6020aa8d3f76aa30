"""``attcell score``: figures from files of scores alone, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell.cli_score_attention import attention
from attcell.cli_score_detection import detection
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.data.scores import Scores

score_app = typer.Typer(
    help="Figures from files of scores alone: scores.json, CSV or NumPy's .npz.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


score_app.command()(detection)
score_app.command()(attention)


@score_app.command()
def fuse(
    files: Annotated[list[Path], typer.Argument(help="Two or more files of the same videos and classes.")],
    weights: Annotated[
        str | None, typer.Option(help="One for each file, as 0.6,0.4; by default all alike.")
    ] = None,
    tune: Annotated[
        list[Path] | None,
        typer.Option(help="Tune the weights on these: one for each file, of held-out training videos."),
    ] = None,
    softmax: Annotated[
        bool, typer.Option("--softmax", help="Bring scores that are no probabilities to such.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the fused scores: a .json, .csv or .npz file.")
    ] = None,
) -> None:
    """Sum the scores of several models with weights: late fusion, also with those of another tool (TAN+).

    Example: attcell score fuse tan.json mifs.csv --tune tan-val.json --tune mifs-val.csv --out fused.json
    """
    from attcell.data.score_fusion import aligned, as_probabilities, as_shares, fused, tuned
    from attcell.data.scores import SUFFIXES, read_scores, write_scores
    from attcell.files import check_outputs
    from attcell.report.score_lines import AP_RULES, figure_line

    if len(files) < 2:
        raise CallError("one file alone is nothing to fuse; give two or more")
    if weights is not None and tune:
        raise CallError("--weights and --tune exclude each other; keep one")
    if tune and len(tune) != len(files):
        raise CallError(f"{len(tune)} files to tune on for {len(files)} files; give --tune once for each")
    if out is not None:
        check_outputs([out], [*files, *(tune or [])])
        if out.suffix not in SUFFIXES:
            raise CallError(f"{out}: scores are written to {', '.join(SUFFIXES)}; name such a file")
    given = None if weights is None else as_shares(_numbers(weights), len(files))
    tested = aligned([as_probabilities(read_scores(path), softmax) for path in files])
    how = "all alike" if given is None else "given"
    shares = given or as_shares([1.0] * len(files), len(files))
    if tune:
        found = tuned([as_probabilities(read_scores(path), softmax) for path in tune], tested[0])
        left_out = f", {found.num_unread} unread left out" if found.num_unread else ""
        shares, how = found.shares, f"tuned on {found.num_videos} other videos{left_out}"
    whole = fused(tested, shares)
    is_complete = _say_unread(tested)
    rules = ""
    if out is None or None not in whole.truth:
        for path, one, share in zip(files, tested, shares, strict=True):
            print(f"{figure_line(str(path), one)}, weight {share:.2f}")
        print(figure_line("fused", whole))
        rules = "" if whole.has_one_class_each else f", {AP_RULES}"
    else:
        print(f"no figures: the files do not say the class of {whole.truth.count(None)} videos")
    counted = f"{len(whole.videos)} videos, unread {whole.num_unread}"
    print(f"protocol: {len(files)} files, weights {how}, {counted}{rules}")
    if out is not None:
        parts = [{"file": str(path), "weight": share} for path, share in zip(files, shares, strict=True)]
        write_scores(out, whole, {"protocol": {"fused": parts, "weights": how}})
        print(f"written: {out}")
    if not is_complete:
        raise typer.Exit(1)


@score_app.command()
def recognition(
    files: Annotated[list[Path], typer.Argument(help="Files of scores; each by itself.")],
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Another file of the same videos, which says their classes. Its own scores do not count."
        ),
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the figures to this file, or - for stdout.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the AP of every class.")] = None,
) -> None:
    """Accuracy and mAP, and the AP of each class; also of videos with several classes.

    Example: attcell score recognition tool.csv --truth stan.json --csv ap.csv
    """
    from attcell.data.score_truth import with_truth
    from attcell.data.scores import read_scores
    from attcell.files import check_outputs
    from attcell.report.recognition import recognition_csv, recognition_report
    from attcell.report.score_lines import publish

    outputs = [Path(path) for path in (csv, json_path) if path not in (None, "-")]
    check_outputs(outputs, [*files, *([] if truth is None else [truth])])
    found = [read_scores(path) for path in files]
    if truth is not None:
        known = read_scores(truth)
        found = [with_truth(one, known) for one in found]
    reports = [recognition_report(one) for one in found]
    is_complete = _say_unread(found, "counts as wrong and ranks last")
    publish(reports, lambda: recognition_csv(reports), csv, json_path)
    if not is_complete:
        raise typer.Exit(1)


@score_app.command()
def classes(
    file: Annotated[Path, typer.Argument(help="A file of scores.")],
    against: Annotated[
        Path | None, typer.Option(help="Another model's scores of the same videos, to compare with.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the figures of every class.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write a PNG with a bar for every class.")] = None,
) -> None:
    """Accuracy class by class, and what one model gains over another.

    Example: attcell score classes tan.json --against two-stream.json --picture gain.png --csv gain.csv
    """
    import numpy as np

    from attcell.data.score_fusion import aligned
    from attcell.data.scores import read_scores
    from attcell.files import check_outputs
    from attcell.metrics.by_class import class_accuracies
    from attcell.report.by_class import by_class_csv, by_class_picture
    from attcell.report.score_lines import class_lines
    from attcell.report.views import short_names

    inputs = [path for path in (file, against) if path is not None]
    outputs = [path for path in (csv, picture) if path is not None]
    check_outputs(outputs, inputs)
    if picture is not None and picture.suffix.lower() != ".png":
        raise CallError(f"{picture}: the picture is a PNG; name a .png file")
    found = aligned([read_scores(path) for path in inputs])
    is_complete = _say_unread(found)
    truth = found[0].true_classes()
    counts = np.bincount(truth, minlength=len(found[0].labels))
    own, *others = (class_accuracies(one.scores, truth) for one in found)
    rival = others[0] if others else None
    print("\n".join(class_lines(found[0].labels, counts, own, rival)))
    unread = ", ".join(str(one.num_unread) for one in found)
    print(f"protocol: {len(truth)} videos, unread {unread}; these count as wrong")
    if csv is not None:
        by_class_csv(found[0].labels, counts, own, csv, rival)
    if picture is not None:
        names = short_names([str(path.resolve()) for path in inputs])
        by_class_picture(found[0].labels, own, picture, " against ".join(names), rival, names)
    if outputs:
        print(f"written: {', '.join(map(str, outputs))}")
    if not is_complete:
        raise typer.Exit(1)


def _say_unread(files: Sequence[Scores], meaning: str = "counts as wrong") -> bool:
    """Name the videos that a file has no scores of; true if there are none."""
    from attcell.progress import say

    for one in files:
        for video, is_read in zip(one.videos, one.is_read(), strict=True):
            if not is_read:
                say(f"attcell: {video} is unread in {one.source}, and {meaning}")
    return not any(one.num_unread for one in files)


def _numbers(text: str) -> list[float]:
    try:
        return [float(value) for value in text.split(",")]
    except ValueError as error:
        raise CallError(f"--weights {text} are not numbers; give one for each file, as 0.6,0.4") from error
