"""The tools that a training is logged to: each opened by its own package, and by Lightning's logger of it.

Nothing leaves this machine unless the tool's own environment variables ask for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PROJECT = "attcell"  # in the tools, unless their environment variables name another
Show = Callable[[str, Path, int], None]  # a picture's name, its PNG, and after how many iterations


@dataclass(frozen=True)
class Begun:
    """A tool that is open.

    Attributes:
        logger: takes the metrics.
        show: takes a picture; None where the tool takes none.
        run: by which the tool finds this run again; empty where nothing is to be kept for that.
        end: closes what was opened here; is told whether the training is done.
    """

    logger: Logger
    show: Show | None = None
    run: str = ""
    end: Callable[[bool], None] = lambda _: None


@dataclass(frozen=True)
class Run:
    """What a tool is told of the run.

    Attributes:
        name: for people.
        logs: a folder for the tool's files; it is there.
        values: the recipe, flat: key → text, number or None.
        before: by which the tool finds the run that is gone on with; empty for a new one.
    """

    name: str
    logs: Path
    values: Mapping[str, Any]
    before: str = ""


def csv(run: Run) -> Begun:
    """Lines in ``logs/csv``; the recipe lies beside them in the run folder."""
    return Begun(CSVLogger(run.logs, name="csv"))


def tensorboard(run: Run) -> Begun:
    """Files of events in ``logs/tensorboard``."""
    logger = TensorBoardLogger(run.logs, name="tensorboard")

    def show(name: str, picture: Path, step: int) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))
        logger.experiment.add_image(name, pixels, step, dataformats="HWC")

    return Begun(logger, show)


def wandb(run: Run) -> Begun:
    """Weights & Biases: offline in ``logs/wandb``, unless $WANDB_MODE says something else."""
    import wandb as package
    from lightning.pytorch.loggers import WandbLogger

    is_offline = not os.environ.get("WANDB_MODE")
    if is_offline:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    opened = package.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        name=run.name,
        id=run.before or uuid4().hex[:12],
        dir=str(run.logs),
        mode="offline" if is_offline else None,
        resume=None if is_offline else "allow",  # offline the same id is all that there is to it
        reinit="create_new",  # a run that the caller has open stays as it is
        settings=package.Settings(
            console="off",
            silent=True,
            disable_git=True,
            save_code=False,
            x_disable_meta=True,  # the command line and the machine's name
            x_disable_machine_info=True,
        ),
    )
    opened.define_metric("trainer/global_step")
    opened.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    opened.config.update(dict(run.values), allow_val_change=True)
    logger = WandbLogger(experiment=opened, save_dir=str(run.logs))

    def show(name: str, picture: Path, step: int) -> None:
        logger.log_image(name, [str(picture)], step)

    def end(is_done: bool) -> None:
        opened.finish(exit_code=0 if is_done else 1)

    return Begun(logger, show, opened.id, end)


def mlflow(run: Run) -> Begun:
    """MLflow: ``logs/mlflow.db`` and ``logs/mlflow``, unless $MLFLOW_TRACKING_URI says where."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow as package
    from lightning.pytorch.loggers import MLFlowLogger

    given = os.environ.get("MLFLOW_TRACKING_URI")
    logger = MLFlowLogger(
        experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT,
        run_name=run.name,
        tracking_uri=given or f"sqlite:///{(run.logs / 'mlflow.db').absolute()}",
        artifact_location=None if given else (run.logs / "mlflow").absolute().as_uri(),
        run_id=run.before or None,
    )
    try:
        identity = logger.run_id
    finally:  # it has told the whole process, and those that it starts, where to log to
        package.set_tracking_uri(given)  # type: ignore[arg-type]
    assert identity is not None, "it was asked for"
    client: MlflowClient = logger.experiment
    if run.before:  # a value of the recipe is written once there
        client.update_run(identity, status="RUNNING")
    else:
        logger.log_hyperparams(dict(run.values))

    def show(name: str, picture: Path, step: int) -> None:
        from PIL import Image

        with Image.open(picture) as image:
            client.log_image(identity, image.convert("RGB"), key=name, step=step, synchronous=True)

    def end(is_done: bool) -> None:
        client.set_terminated(identity, "FINISHED" if is_done else "KILLED")

    return Begun(logger, show, identity, end)


def trackio(run: Run) -> Begun:
    """Trackio: in its own folder ($TRACKIO_DIR), where its dashboard shows all runs beside each other."""
    from attcell.training.tracking.trackio_logger import TrackioLogger

    name = run.before or f"{run.name}-{uuid4().hex[:8]}"
    logger = TrackioLogger(PROJECT, name, {} if run.before else dict(run.values))
    return Begun(logger, logger.show, name, lambda _: logger.end())


TOOLS: dict[str, Callable[[Run], Begun]] = {
    "csv": csv,
    "tensorboard": tensorboard,
    "wandb": wandb,
    "mlflow": mlflow,
    "trackio": trackio,
}
EXTRAS = ("wandb", "mlflow", "trackio")  # modules of the same name, brought by extras of the same name
