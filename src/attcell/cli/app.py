"""The command line. Results go to stdout; progress, warnings and errors to stderr.

Exit status: 0 done, 1 something in the data or the outcome was bad (and was said), 2 the call was wrong.
Heavy libraries are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from attcell._log import messages_on_stderr
from attcell.cli._options import (
    Crops,
    Kind,
    ListRoot,
    Motions,
    NumSegments,
    Overrides,
    RecipeName,
    Row,
    Split,
)
from attcell.cli.data import data_app
from attcell.cli.detect import calibrate, detect
from attcell.cli.extract import extract_app
from attcell.cli.research import ablate, protocol, reproduce, table
from attcell.cli.score import score_app
from attcell.errors import AttcellError

app = typer.Typer(
    name="attcell",
    help="Recognise actions in videos, and see where and when the evidence is.",
    epilog="Begin with: attcell demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")
app.add_typer(extract_app, name="extract")
app.add_typer(score_app, name="score")
app.command()(protocol)
app.command()(ablate)
app.command()(reproduce)


def main() -> None:
    """Run the command line; a user's mistake ends in one message and an exit status, not in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with messages_on_stderr():
            app()
    except AttcellError as error:
        print(f"attcell: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except SystemExit as ended:
        if ended.code == 130:  # what typer makes of Ctrl-C
            print("attcell: interrupted", file=sys.stderr)
        raise
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"attcell: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        sys.exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("attcell-demo"),
) -> None:
    """Generate videos, train a small STAN on them, test it, and write a report page. Takes a few minutes.

    Example: attcell demo --out /tmp/demo
    """
    from attcell.research.demo import run_demo

    run_demo(out)


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    kind: Annotated[
        Kind, typer.Option(help="Is the action all of the video, or a quarter of it?")
    ] = Kind.trimmed,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same videos.")] = 0,
    classes: Annotated[int, typer.Option(help="4, 6, 8 or 10.")] = 6,
    motions: Annotated[
        Motions, typer.Option(help="Told by a posture, which one frame shows, or by the figure's path alone?")
    ] = Motions.postures,
    train: Annotated[int, typer.Option(min=0, help="Videos of each class for training.")] = 30,
    val: Annotated[int, typer.Option(min=0, help="Videos of each class for validation.")] = 5,
    test: Annotated[int, typer.Option(min=0, help="Videos of each class for testing.")] = 20,
) -> None:
    """Generate small videos with known classes, actor boxes and action intervals.

    Example: attcell synth videos --kind untrimmed --seed 1
    """
    from attcell._log import progress_bar
    from attcell.synth.write import write_dataset

    with progress_bar() as bar:
        task = bar.add_task("generating", total=None, note="")
        write_dataset(
            out,
            kind.value,
            seed=seed,
            num_classes=classes,
            motions=motions.value,
            videos={"train": train, "val": val, "test": test},
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(
        f"{out}: {(train + val + test) * classes} videos of {classes} classes, truth in {out / 'truth.json'}"
    )


@app.command()
def train(
    recipe: RecipeName,
    overrides: Overrides = None,
    row: Row = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; by default runs/NAME.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train a network by a recipe; the best model so far is always in the run folder's model/.

    Example: attcell train stan-small data.train=videos/train --out runs/mine

    Example: attcell train stan-table-1 --row ucf101-frame-stan data.root=UCF-101 data.annotations=lists
    """
    from attcell._log import logger
    from attcell.config.loading import load_recipe

    resolved = load_recipe(recipe, overrides or [], row)
    run_folder = out or Path("runs") / resolved.name
    from attcell.training.run import train as run_training

    outcome = run_training(resolved, run_folder, resume=resume)
    best = outcome.best
    if best.accuracy is not None:
        logger.info(
            f"{outcome.iterations} iterations; the best of them, {best.iterations}, has "
            f"validation accuracy {100 * best.accuracy:.1f} %"
        )
    print(outcome.model_folder)


@app.command()
def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this one's text, to begin one's own with.")
    ] = None,
) -> None:
    """The recipes that are in the package: their names, how many rows a table has, and what they are for.

    Example: attcell recipes stan-small > mine.yaml
    """
    from attcell.config.loading import find_recipe, packaged_recipes

    if name is not None:
        print(find_recipe(name).read_text(encoding="utf-8"), end="")
        return
    for file in packaged_recipes():
        rows = f"{len(file.row_names)} rows" if file.row_names else ""
        print(f"{file.name:18}{rows:9}{file.about}")


@app.command()
def test(
    model: Annotated[str, typer.Argument(help="A model folder, or a Hugging Face id.")],
    split: Annotated[Split, typer.Option(help="Which source of the model's recipe.")] = Split.test,
    data: Annotated[Path | None, typer.Option(help="Another source: a folder per class or a list.")] = None,
    root: ListRoot = None,
    segments: NumSegments = None,
    crops: Annotated[Crops | None, typer.Option(help="1, or 10 averaged; by default the recipe's.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Keep a frozen backbone's features here.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="For scores.json and confusion.png; by default test-SPLIT beside MODEL."),
    ] = None,
) -> None:
    """Test a model: figures with their protocol, scores.json and the confusion matrix as a picture.

    Example: attcell test runs/mine/model --segments 25 --crops 10
    """
    from attcell._files import check_output
    from attcell._log import logger
    from attcell.inference.model import load
    from attcell.inference.run import best_device
    from attcell.report.figures.charts import confusion_picture
    from attcell.report.lines import evaluation_lines

    beside = Path(model).absolute().parent if Path(model).is_dir() else Path()
    folder = out or beside / f"test-{split.value if data is None else data.stem}"
    check_output(folder, is_folder=True)
    evaluation = (
        load(model)
        .to(best_device())
        .evaluate(
            data,
            split=split.value,
            root=root,
            segments=segments,
            crops=None if crops is None else crops.value,
            cache=cache,
        )
    )
    evaluation.write_scores(folder / "scores.json")
    written = [folder / "scores.json"]
    confusion = evaluation.confusion()
    if confusion is not None:
        written.append(folder / "confusion.png")
        confusion_picture(confusion, evaluation.labels, written[-1], f"{model} on {data or split.value}")
    for message in (*evaluation.unread.values(), *evaluation.notes):
        logger.info(f"attcell: {message}")
    print("\n".join(evaluation_lines(evaluation)))
    print(f"written: {', '.join(map(str, written))}")
    if evaluation.unread:
        raise typer.Exit(1)


@app.command()
def predict(
    videos: Annotated[list[Path], typer.Argument(help="Video files, or folders of frames.")],
    model: Annotated[str, typer.Option(help="A model folder, or a Hugging Face id.")],
    segments: NumSegments = None,
    json_path: Annotated[
        str | None,
        typer.Option("--json", help="Write to this file, or - for stdout; to - and .jsonl a line a video."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page to look at.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Write two PNG of each video to this folder: NAME-attention, NAME-mean."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="A generated set, UCF101-24's .mat or a JSON of boxes, which go into NAME-mean."),
    ] = None,
) -> None:
    """Predict the class of videos, and show where and when the network looked.

    Example: attcell predict clip.mp4 --model runs/demo/model --report clip.html --pictures looks
    """
    from attcell.cli.predict import Outputs, predict_all
    from attcell.inference.model import load
    from attcell.inference.run import best_device
    from attcell.results.predictions import JsonResults

    outputs = Outputs(model, json_path, report, pictures, truth)
    outputs.check(videos)
    boxes = outputs.known_boxes(videos)
    loaded = load(model).to(best_device())
    outputs.check_kind(loaded.recipe.model)
    with JsonResults(json_path, model, "predictions") as results:
        predictions, num_failed = predict_all(loaded, videos, segments, results, keep=outputs.are_drawn)
    outputs.draw(predictions, boxes)
    if num_failed:
        raise typer.Exit(1)


app.command()(table)
app.command()(calibrate)
app.command()(detect)

if __name__ == "__main__":
    main()
