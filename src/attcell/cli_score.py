"""``attcell score``: figures from files of scores alone, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attcell.errors import CallError

score_app = typer.Typer(
    help="Figures from files of scores alone: scores.json, CSV or NumPy's .npz.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


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
    from attcell.data.score_fusion import aligned, as_probabilities, fused, tuned
    from attcell.data.scores import SUFFIXES, read_scores, write_scores
    from attcell.files import check_output
    from attcell.report.score_lines import accuracy_line

    if len(files) < 2:
        raise CallError("one file alone is nothing to fuse; give two or more")
    if weights is not None and tune:
        raise CallError("--weights and --tune exclude each other; keep one")
    if tune and len(tune) != len(files):
        raise CallError(f"{len(tune)} files to tune on for {len(files)} files; give --tune once for each")
    if out is not None:
        check_output(out)
        if out.suffix not in SUFFIXES:
            raise CallError(f"{out}: scores are written to {', '.join(SUFFIXES)}; name such a file")
    tested = aligned([as_probabilities(read_scores(path), softmax) for path in files])
    how = "given" if weights is not None else "all alike"
    shares = _numbers(weights) if weights is not None else [1.0] * len(files)
    if tune:
        found = tuned([as_probabilities(read_scores(path), softmax) for path in tune], tested[0])
        shares, how = list(found.weights), f"tuned on {found.num_videos} other videos"
    whole = fused(tested, shares)
    truth = whole.true_classes()
    for path, one, share in zip(files, tested, shares, strict=True):
        print(f"{accuracy_line(str(path), one.scores, truth)}, weight {share / sum(shares):.2f}")
    print(accuracy_line("fused", whole.scores, truth))
    print(f"protocol: {len(files)} files, weights {how}, {len(whole.videos)} videos")
    if out is not None:
        parts = [
            {"file": str(path), "weight": w / sum(shares)} for path, w in zip(files, shares, strict=True)
        ]
        write_scores(out, whole, {"protocol": {"fused": parts, "weights": how}})
        print(f"written: {out}")


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

    from attcell.data.score_fusion import aligned, fused
    from attcell.data.scores import read_scores
    from attcell.files import check_output
    from attcell.metrics.by_class import class_accuracies
    from attcell.report.by_class import by_class_csv, by_class_picture
    from attcell.report.score_lines import class_lines

    for output in (csv, picture):
        if output is not None:
            check_output(output)
    found = aligned([read_scores(path) for path in (file, against) if path is not None])
    truth = fused(found, [1.0] * len(found)).true_classes()
    counts = np.bincount(truth, minlength=len(found[0].labels))
    own, *others = (class_accuracies(one.scores, truth) for one in found)
    rival = others[0] if others else None
    print("\n".join(class_lines(found[0].labels, counts, own, rival)))
    if csv is not None:
        by_class_csv(found[0].labels, counts, own, csv, rival)
    if picture is not None:
        names = (file.stem, against.stem if against is not None else "")
        title = file.stem if against is None else f"{file.stem} against {against.stem}"
        by_class_picture(found[0].labels, own, picture, title, rival, names)
    written = [str(output) for output in (csv, picture) if output is not None]
    if written:
        print(f"written: {', '.join(written)}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(value) for value in text.split(",")]
    except ValueError as error:
        raise CallError(f"--weights {text} are not numbers; give one for each file, as 0.6,0.4") from error
