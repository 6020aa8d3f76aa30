"""``attcell score``: figures from files of scores alone, without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attcell._log import logger
from attcell._terminal import put
from attcell.choices import DetectionProtocol
from attcell.cli.common.options import MetricsJson, files_of
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.results.scores import Scores

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
    given = None if weights is None else _numbers(weights, "--weights", "one for each file, as 0.6,0.4")
    is_complete = _Fuse(tuple(files), given, tuple(tune or ()), softmax, out).run()
    if not is_complete:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Fuse:
    """Files of scores to be summed, and by which weights; the options of ``attcell score fuse``."""

    files: tuple[Path, ...]
    weights: list[float] | None
    tune: tuple[Path, ...]
    softmax: bool
    out: Path | None

    def run(self) -> bool:
        """Fuse, print the metrics of each file and of their sum, and write the sum; true if all was read.

        Raises:
            CallError: options that do not go together, or an output that cannot be written.
            DataError: files that are no scores of the same videos and classes.
        """
        from attcell.results.fusion import aligned, as_probabilities, fused
        from attcell.results.scores import read_scores, write_scores

        self._check()
        tested = aligned([as_probabilities(read_scores(path), self.softmax) for path in self.files])
        shares, how = self._shares(tested[0])
        whole = fused(tested, shares)
        is_complete = _say_unread(tested)
        self._print_metrics(tested, shares, whole, how)
        if self.out is not None:
            parts = [
                {"file": str(path), "weight": share} for path, share in zip(self.files, shares, strict=True)
            ]
            write_scores(self.out, whole, {"protocol": {"fused": parts, "weights": how}})
            put(f"written: {self.out}")
        return is_complete

    def _check(self) -> None:
        from attcell._paths import check_outputs
        from attcell.results.fusion import as_shares
        from attcell.results.scores import SUFFIXES

        if len(self.files) < 2:
            raise CallError("one file alone is nothing to fuse; give two or more")
        if self.weights is not None and self.tune:
            raise CallError("--weights and --tune exclude each other; keep one")
        if self.tune and len(self.tune) != len(self.files):
            raise CallError(
                f"{len(self.tune)} files to tune on for {len(self.files)} files; give --tune once for each"
            )
        if self.out is not None:
            check_outputs([self.out], [*self.files, *self.tune])
            if self.out.suffix not in SUFFIXES:
                raise CallError(f"{self.out}: scores are written to {', '.join(SUFFIXES)}; name such a file")
        if self.weights is not None:
            as_shares(self.weights, len(self.files))

    def _shares(self, tested: Scores) -> tuple[tuple[float, ...], str]:
        """What each file counts, 1 in all, and how that was chosen."""
        from attcell.results.fusion import as_probabilities, as_shares, tuned
        from attcell.results.scores import read_scores

        if not self.tune:
            how = "all alike" if self.weights is None else "given"
            return as_shares(self.weights or [1.0] * len(self.files), len(self.files)), how
        found = tuned([as_probabilities(read_scores(path), self.softmax) for path in self.tune], tested)
        left_out = f", {found.num_unread} unread left out" if found.num_unread else ""
        return found.shares, f"tuned on {found.num_videos} other videos{left_out}"

    def _print_metrics(
        self, tested: Sequence[Scores], shares: Sequence[float], whole: Scores, how: str
    ) -> None:
        from attcell.report.lines import main_metrics_line
        from attcell.results.recognition_metrics import AP_RULES, main_metrics

        rules = ""
        if self.out is None or None not in whole.truth:
            for path, one, share in zip(self.files, tested, shares, strict=True):
                put(f"{main_metrics_line(str(path), main_metrics(one))}, weight {share:.2f}")
            put(main_metrics_line("fused", main_metrics(whole)))
            rules = "" if whole.has_one_class_each else f", {AP_RULES}"
        else:
            put(f"no figures: the files do not say the class of {whole.truth.count(None)} videos")
        counted = f"{len(whole.videos)} videos, unread {whole.num_unread}"
        put(f"protocol: {len(self.files)} files, weights {how}, {counted}{rules}")


@score_app.command()
def recognition(
    files: Annotated[list[Path], typer.Argument(help="Files of scores; each by itself.")],
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Another file of the same videos, which says their classes. Its own scores do not count."
        ),
    ] = None,
    json_path: MetricsJson = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the AP of every class.")] = None,
) -> None:
    """Accuracy and mAP, and the AP of each class; also of videos with several classes.

    Example: attcell score recognition tool.csv --truth stan.json --csv ap.csv
    """
    from attcell._paths import check_outputs
    from attcell.report.lines import recognition_lines
    from attcell.results.fusion import with_truth
    from attcell.results.recognition_metrics import recognition_csv, recognition_result
    from attcell.results.scores import read_scores

    check_outputs(files_of(csv, json_path), [*files, *([] if truth is None else [truth])])
    found = [read_scores(path) for path in files]
    if truth is not None:
        known = read_scores(truth)
        found = [with_truth(one, known) for one in found]
    results = [recognition_result(one) for one in found]
    is_complete = _say_unread(found, "counts as wrong and ranks last")
    lines, contents = map(recognition_lines, results), [result.to_dict() for result in results]
    _publish(lines, contents, recognition_csv(results), csv, json_path)
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
    from attcell._files import write_text
    from attcell._paths import check_outputs, short_names
    from attcell.report.figures.charts import per_class_picture
    from attcell.report.lines import class_lines
    from attcell.results.fusion import aligned
    from attcell.results.recognition_metrics import class_accuracies_of
    from attcell.results.scores import read_scores

    inputs = [path for path in (file, against) if path is not None]
    outputs = [path for path in (csv, picture) if path is not None]
    check_outputs(outputs, inputs)
    if picture is not None and picture.suffix.lower() != ".png":
        raise CallError(f"{picture}: the picture is a PNG; name a .png file")
    found = aligned([read_scores(path) for path in inputs])
    is_complete = _say_unread(found)
    accuracies = class_accuracies_of(*found)
    put(*class_lines(accuracies))
    unread = ", ".join(str(one.num_unread) for one in found)
    put(f"protocol: {len(found[0].videos)} videos, unread {unread}; these count as wrong")
    if csv is not None:
        write_text(csv, accuracies.to_csv())
    if picture is not None:
        names = short_names([str(path.resolve()) for path in inputs])
        per_class_picture(accuracies, picture, " against ".join(names), names)
    if outputs:
        put(f"written: {', '.join(map(str, outputs))}")
    if not is_complete:
        raise typer.Exit(1)


@score_app.command()
def attention(
    file: Annotated[Path, typer.Argument(help="What attcell predict --json wrote.")],
    truth: Annotated[
        Path, typer.Option(help="A generated set, UCF101-24's finalAnnots.mat, or a JSON of boxes.")
    ],
    fps: Annotated[float | None, typer.Option(help="Frames a second, where the truth does not tell.")] = None,
    json_path: MetricsJson = None,
) -> None:
    """The pointing game, and the attention's mass inside the actors' boxes, for each stream and their mean.

    Example: attcell predict videos/test/*/*.mp4 --model runs/mine/model --json found.json

    Example: attcell score attention found.json --truth videos
    """
    import math

    from attcell._files import write_json
    from attcell._paths import check_outputs
    from attcell.data.truth import read_boxes, video_named
    from attcell.errors import DataError
    from attcell.inference.localization import attention_metrics, streams_of
    from attcell.report.lines import attention_lines
    from attcell.results.predictions import read_predictions
    from attcell.synth.truth import FILE_NAME

    if fps is not None and not 0 < fps < 1000:
        raise CallError(f"--fps is {fps}; give frames a second, above 0")
    check_outputs(files_of(json_path), [file, truth, truth / FILE_NAME])
    predicted, failed = read_predictions(file)
    known = read_boxes(truth, fps)
    found, bad = [], [f"{video}: {reason}" for video, reason in failed.items()]
    for video, track in predicted:
        name = video_named(video, known)
        if name is None:
            bad.append(f"{video} is no video of {truth}; it is left out")
        elif not track.over_frames:
            bad.append(f"{video}: the network has no attention over regions of the picture; it is left out")
        else:
            found.append((track, known[name]))
    for message in bad:
        logger.info(f"attcell: {message}")
    if not found:
        raise DataError(
            f"{file}: no video has both attention and boxes in {truth}; there is nothing to score"
        )
    figures = {name: attention_metrics(found, name) for name in streams_of(found)}
    if json_path != "-":
        put(*attention_lines(figures, len(found), len(bad), str(truth)))
    if json_path is not None:
        rows = {
            name: {key: None if math.isnan(value) else value for key, value in asdict(of).items()}
            for name, of in figures.items()
        }
        write_json(json_path, {"videos": len(found), "left_out": bad, "streams": rows})
    if bad:
        raise typer.Exit(1)


@score_app.command()
def detection(
    files: Annotated[list[Path], typer.Argument(help="Files of detections; each by itself.")],
    truth: Annotated[
        Path, typer.Option(help="THUMOS14's annotation folder, ActivityNet's JSON, or a generated set.")
    ],
    subset: Annotated[
        str | None, typer.Option(help="Its part; by default test, of ActivityNet validation.")
    ] = None,
    protocol: Annotated[
        Literal[DetectionProtocol, "both"], typer.Option(help="By whose rules; they do not agree.")
    ] = "both",
    thresholds: Annotated[str, typer.Option(help="Of the IoU in time.")] = "0.1,0.2,0.3,0.4,0.5,0.6,0.7",
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out this video, as a faulty one.")] = None,
    class_numbers: Annotated[
        Path | None, typer.Option(help="Of THUMOS's lines: detclasslist.txt, as 7 BaseballPitch.")
    ] = None,
    json_path: MetricsJson = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the AP of every class.")] = None,
) -> None:
    """mAP of actions found in time, by the protocols of THUMOS and ActivityNet, and the AP of each class.

    Example: attcell score detection found.json --truth thumos14 --exclude video_test_0000270 --csv ap.csv
    """
    from attcell._paths import check_outputs
    from attcell.data.annotations.thumos14 import read_class_numbers
    from attcell.data.truth import read_detection_truth
    from attcell.metrics.detection import PROTOCOLS
    from attcell.report.lines import file_detection_lines
    from attcell.results.detection_metrics import detection_csv, detection_result
    from attcell.results.detections import read_detections
    from attcell.synth.truth import FILE_NAME

    bars = _numbers(thresholds, "--thresholds", "some, as 0.3,0.5")
    read = [*files, truth, truth / FILE_NAME, *files_of(class_numbers)]
    check_outputs(files_of(csv, json_path), read)
    known = read_detection_truth(truth, subset).without(exclude or [])
    numbers = None if class_numbers is None else read_class_numbers(class_numbers)
    results = []
    for note in known.notes:
        logger.info(f"attcell: {note}")
    protocols = [rule for rule in PROTOCOLS if protocol in (rule, "both")]
    for file in files:
        results.append(detection_result(read_detections(file, numbers), known, bars, protocols))
        for fault in results[-1].faults:
            logger.info(f"attcell: {file}: {fault}")
    lines, contents = map(file_detection_lines, results), [result.to_dict() for result in results]
    _publish(lines, contents, detection_csv(results), csv, json_path)
    if any(result.faults for result in results):
        raise typer.Exit(1)


def _publish(
    lines: Iterable[Sequence[str]],
    contents: Sequence[Mapping[str, Any]],
    csv_text: str,
    csv: Path | None,
    json_path: str | None,
) -> None:
    """Print what files came to, unless JSON goes to stdout, and write it as CSV and JSON if asked for."""
    from attcell._files import write_json, write_text

    if json_path != "-":
        put(*[line for each in lines for line in ("", *each)][1:])
    if csv is not None:
        write_text(csv, csv_text)
    if json_path is not None:
        write_json(json_path, {"files": contents})
    written = [str(path) for path in (csv, json_path) if path is not None]
    if written and json_path != "-":
        put(f"written: {', '.join(written)}")


def _say_unread(files: Sequence[Scores], meaning: str = "counts as wrong") -> bool:
    """Name the videos that a file has no scores of; true if there are none."""

    for one in files:
        for video, is_read in zip(one.videos, one.is_read(), strict=True):
            if not is_read:
                logger.info(f"attcell: {video} is unread in {one.source}, and {meaning}")
    return not any(one.num_unread for one in files)


def _numbers(text: str, option: str, wanted: str) -> list[float]:
    """The numbers of an option, as 0.3,0.5."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise CallError(f"{option} {text} are not numbers; give {wanted}") from error
