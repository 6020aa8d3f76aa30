"""``attcell recipes``, ``train`` and ``test``: from a recipe to a model, and what the model is worth."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from attcell._log import json_lines, logger, tell_programs
from attcell._owners import is_first_process
from attcell._terminal import put
from attcell.choices import ClipCrops, DataPart, NumCrops
from attcell.cli.common.interruption import leaves
from attcell.cli.common.options import (
    ListRoot,
    NumClips,
    NumSegments,
    On,
    Overrides,
    Row,
    end,
    files_of,
    path,
    refuse_options,
    working_on,
)
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.choosing.call import FolderOutcome
    from attcell.config.recipe import Recipe
    from attcell.inference.evaluate import Evaluation

AnyCrops = Literal[1, 3, 10]


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this one's text, to begin one's own with.")
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option(help="Show in what these rows of a table differ, as 'ucf101-stan-*'.")
    ] = None,
) -> None:
    """The recipes that are in the package: their names, how many rows a table has, and what they are for.

    Example: attcell recipes stan-small > mine.yaml

    Example: attcell recipes stan-table-2 --rows 'ucf101-stan-*'
    """
    from attcell.config.loading import find_recipe, packaged_recipes

    if rows is not None:
        print(_differences(name, rows), end="")
        return
    if name is not None:
        print(find_recipe(name).read_text(encoding="utf-8"), end="")
        return
    for file in packaged_recipes():
        size = f"{len(file.row_names)} rows" if file.row_names else ""
        put(f"{file.name:15}{size:9}{file.about}")


def _differences(name: str | None, patterns: list[str]) -> str:
    """A table of the keys in which rows differ, each recipe being whole, but for their names and published
    figures; ??? is what is still to be given.

    Raises:
        CallError: no table, or less than two rows.
    """
    from attcell.config import check_recipe, differing_keys
    from attcell.config.loading import choose_rows, merged_row
    from attcell.results.tables import in_markdown, markdown_table

    if name is None:
        raise CallError("--rows are rows of a table; name it: attcell recipes stan-table-2 --rows 'ucf101-*'")
    chosen = choose_rows([name], patterns)
    if len(chosen) < 2:
        raise CallError(f"--rows {', '.join(patterns)} is one row; name two or more, to compare them")
    recipes = [check_recipe(merged_row(file, row, ()).values, file.called(row)) for file, row in chosen]
    told = ("name", "published", "rivals")  # what a table calls a row, and prints beside it
    found = {key: values for key, values in differing_keys(recipes).items() if key not in told}
    cells = [[key, *map(str, values)] for key, values in found.items()]
    head = ["key", *(str(row) for _, row in chosen)]
    return markdown_table(head, [[in_markdown(cell) for cell in line] for line in cells], [False] * len(head))


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="FOLDER|RECIPE", help="A folder of videos, or a recipe by path or name.")
    ],
    overrides: Overrides = None,
    row: Row = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; by default runs/NAME.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint. With FOLDER not needed.")
    ] = False,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE|write",
            help="Submit a job to Slurm instead, with this option of sbatch, such as time=24:00:00; write: "
            "only write its script.",
        ),
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="With FOLDER: data.groups, such as 'g\\d+'; groups are never parted.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="With FOLDER: other test videos, a folder per class.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|pretrained|shipped",
            help="With FOLDER: SqueezeNet 1.0's file; by default pretrained, without a network shipped.",
        ),
    ] = None,
    take: Annotated[str | None, typer.Option(help="With FOLDER: this candidate, not the best one.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="With FOLDER: try both-svm alone.")] = False,
    minutes: Annotated[float | None, typer.Option(help="With FOLDER: at most so long to choose.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="With FOLDER: keep features here; by default in the run folder.")
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write a line for each event to this file, or - for stdout.")
    ] = None,
) -> None:
    """Train a network on a folder of videos, or by a recipe.

    FOLDER has a folder for each class, or train and test of such. Candidates (pooled SVM, averaging, SAN,
    STAN and TAN on frames, flow and both) are cross-validated on the training videos; the best one is trained
    on all of them and tested on others. Run again to go on after a stop.

    By a recipe the best model so far is always in the run folder's model/.

    Example: attcell train videos --groups '_(g[0-9]+)_' --minutes 20

    Example: attcell train stan-small data.train=videos/train --out runs/mine

    Example: attcell train stan-table-1 --row ucf101-frame-stan data.root=UCF-101 data.annotations=lists
    """
    from attcell._paths import check_outputs

    check_outputs(files_of(json_path), [Path(recipe)])
    of_folder = {
        "groups": groups,
        "test": test,
        "weights": weights,
        "take": take,
        "minutes": minutes,
        "cache": cache,
    }
    given = {name: value for name, value in of_folder.items() if value is not None}
    with json_lines(json_path if is_first_process() else None):
        if _is_folder(recipe):
            of_recipe = {"row": row, "slurm": slurm or None}
            refuse_options(of_recipe, f"the folder of videos {recipe}", "it is a recipe's; leave it out")
            outcome = _train_folder(Path(recipe), out, overrides or [], quick=quick, **given)
            if json_path != "-":
                put(*outcome.lines)
            end(outcome.unread.values())
            return
        advice = (
            f"it is for a folder of videos, and there is no folder {recipe}; leave it out to train a recipe, "
            "or mend the folder's name"
        )
        refuse_options({**given, "quick": quick}, f"the recipe {recipe}", advice)
        resolved = _resolved(recipe, overrides or [], row)
        if slurm:
            from attcell.training.slurm import slurm_job, submit

            lines = submit(resolved, _run_folder(resolved, out), slurm_job(slurm), resume=resume)
        else:
            lines = _train_recipe(resolved, _run_folder(resolved, out), resume=resume)
        if json_path != "-":
            put(*lines)


def _is_folder(name: str) -> bool:
    """Whether this is a folder of videos; the bare name of a packaged recipe is that recipe's."""
    from attcell.config.loading import packaged_recipes

    return Path(name).is_dir() and name not in [file.name for file in packaged_recipes()]


def _train_folder(folder: Path, out: Path | None, overrides: list[str], **options: Any) -> FolderOutcome:
    from attcell.choosing.call import FolderCall, train_folder

    place = out or Path("runs") / (folder.absolute().name or "videos")
    leaves(lambda: (f"what is done stays in {place}", sys.argv[1:]))
    return train_folder(FolderCall(folder, place, overrides=overrides, **options))


def _resolved(recipe: str, overrides: list[str], row: str | None) -> Recipe:
    """The recipe of this name, with what is changed of it."""
    from attcell.config.loading import find_recipe, load_recipe

    try:
        found = find_recipe(recipe)
    except CallError as error:
        raise CallError(f"{error}. There is no folder of videos of this name either") from error
    return load_recipe(found, overrides, row)


def _run_folder(recipe: Recipe, out: Path | None) -> Path:
    return out or Path("runs") / recipe.name


def _train_recipe(resolved: Recipe, folder: Path, *, resume: bool) -> list[str]:
    """Train; what is to be said at the end."""
    from attcell.config.stages import refuse_stages

    if not os.environ.get(
        "ATTCELL_DEBUG"
    ):  # a connection to a process that has ended; it is told of in a line
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from attcell.training.flow_cost import tell_flow_cost
    from attcell.training.run import train as run_training
    from attcell.training.run_folder import CHECKPOINT, RECIPE_FILE

    leaves(lambda: _left(folder, folder / RECIPE_FILE, folder / CHECKPOINT))

    if is_first_process():
        refuse_stages(resolved)  # before anything is said of its cost
        tell_flow_cost([resolved])
    from attcell.training.finish import training_lines, training_values

    started = time.monotonic()
    outcome = run_training(resolved, folder, resume=resume)
    seconds = time.monotonic() - started
    lines = training_lines(outcome, seconds) if is_first_process() else []
    tell_programs("done", "\n".join(lines), **training_values(outcome, seconds))
    return lines


def _left(folder: Path, recipe: Path, checkpoint: Path) -> tuple[str, list[str]]:
    """What a training that is interrupted leaves, and the call that goes on."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    if not recipe.is_file():
        return f"{folder} holds nothing yet", words
    kept = "the last checkpoint" if checkpoint.is_file() else "no checkpoint yet"
    return f"{folder} holds {kept}", [*words, "--resume"]


def test(
    model: Annotated[
        str, typer.Argument(help="A model folder, a Hugging Face id, or a ready model (attcell models).")
    ],
    split: Annotated[DataPart, typer.Option(help="Which source of the model's recipe.")] = "test",
    data: Annotated[
        Path | None,
        typer.Option(help="Another source: a folder per class or a list.", parser=path),
    ] = None,
    root: ListRoot = None,
    segments: NumSegments = None,
    clips: NumClips = None,
    crops: Annotated[
        AnyCrops | None,
        typer.Option(help="1, or 10 averaged, by default the recipe's; of a ready model 1, or 3."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Keep a frozen backbone's features here.", parser=path)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="For scores.json and confusion.png; by default test-SPLIT beside MODEL."),
    ] = None,
    on: On = None,
) -> None:
    """Test a model: figures with their protocol, scores.json and the confusion matrix as a picture.

    Example: attcell test runs/mine/model --segments 25 --crops 10

    Example: attcell test kinetics/mvit_v2_s --data videos
    """
    with working_on(on):
        evaluation = _Test(model, split, data, root, segments, clips, crops, cache, out).run()
    if evaluation.unread:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Test:
    """What is tested on what, and where it is written; the options of ``attcell test``."""

    model: str
    split: DataPart
    data: Path | None
    root: Path | None
    segments: int | None
    clips: int | None
    crops: AnyCrops | None
    cache: Path | None
    out: Path | None

    @property
    def folder(self) -> Path:
        """Where the scores go."""
        beside = Path(self.model).absolute().parent if Path(self.model).is_dir() else Path()
        return self.out or beside / f"test-{self.split if self.data is None else self.data.stem}"

    def run(self) -> Evaluation:
        """Test, print the metrics, and write the scores and the confusion matrix."""
        from attcell._paths import check_output
        from attcell.models.ready.registry import is_ready
        from attcell.report.figures.charts import confusion_picture
        from attcell.report.lines import evaluation_lines

        check_output(self.folder, is_folder=True)
        evaluation = self._of_ready() if is_ready(self.model) else self._of_trained()
        written = [self.folder / "scores.json"]
        evaluation.write_scores(written[0])
        confusion = evaluation.confusion()
        if confusion is not None:
            written.append(self.folder / "confusion.png")
            title = f"{self.model} on {self.data or self.split}"
            confusion_picture(confusion, evaluation.labels, written[-1], title)
        for message in (*evaluation.unread.values(), *evaluation.notes):
            logger.info(f"attcell: {message}")
        put(*evaluation_lines(evaluation))
        put(f"written: {', '.join(map(str, written))}")
        return evaluation

    def _of_trained(self) -> Evaluation:
        from attcell.inference.model import Model
        from attcell.inference.run import best_device

        refuse_options({"clips": self.clips}, self.model, "a trained model takes --segments")
        return (
            Model.from_pretrained(self.model)
            .to(best_device())
            .evaluate(
                self.data,
                split=self.split,
                root=self.root,
                segments=self.segments,
                crops=cast(NumCrops | None, self.crops),
                cache=self.cache,
            )
        )

    def _of_ready(self) -> Evaluation:
        """The same of a network that others trained; its weights are not downloaded for bad data."""
        from attcell.data.sources import read_source
        from attcell.inference.ready import ReadyModel
        from attcell.inference.run import best_device
        from attcell.models.ready.registry import ready_labels

        foreign = {"split": self.split != "test", "segments": self.segments, "cache": self.cache}
        refuse_options(foreign, self.model, "a ready model takes --data, --clips and --crops")
        if self.data is None:
            raise CallError(
                f"{self.model} is a ready model, which has no videos of its own; name them with --data: a "
                "folder with a folder for each of some of its classes, or a list"
            )
        read_source(self.data, self.root, ready_labels(self.model))
        crops = cast(ClipCrops, 1 if self.crops is None else self.crops)
        model = ReadyModel.named(self.model).to(best_device())
        return model.evaluate(self.data, root=self.root, clips=self.clips, crops=crops)
