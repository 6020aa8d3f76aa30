"""The iterations themselves, by Lightning: they leave checkpoints, logs and the best network behind."""

from __future__ import annotations

import io
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import Strategy
from safetensors.torch import load_file, save_file

from attcell._files import written_whole
from attcell._log import progress_bar
from attcell._owners import is_first_process
from attcell.config.train_section import TrainSection
from attcell.errors import TrainingError
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.nn import Network, Pooled, SVMNetwork
from attcell.training.launching import environment, launched
from attcell.training.learner import Learner
from attcell.training.prepare import PreparedTraining
from attcell.training.processes import ALONE, Place, Processes
from attcell.training.run_folder import BEST_WEIGHTS, MODEL_FOLDER, write_recipe
from attcell.training.schedule import ValidationResult
from attcell.training.tracking.pictures import AttentionPictures, Drawn
from attcell.training.tracking.tracked import Tracked, tracked


@dataclass(frozen=True, repr=False)
class FittedTraining:
    """A training whose iterations are done.

    Attributes:
        prepared: what it began with; its network has been trained, to the last iteration.
        best: how the best network did on the validation videos.
        iterations: that were done; fewer than were planned where it stopped early.
    """

    prepared: PreparedTraining
    best: ValidationResult
    iterations: int

    def __repr__(self) -> str:
        return f"FittedTraining({self.prepared.run_folder}: {self.best})"

    def best_network(self) -> Network:
        """The best network, read from disk; its SVM, where the recipe wants one, is still to be fitted."""
        prepared = self.prepared
        if prepared.data is None:
            return prepared.network
        if not isinstance(prepared.network, SVMNetwork):
            return Model.from_folder(prepared.run_folder / MODEL_FOLDER).network
        network = build_network(prepared.recipe, len(prepared.listings.labels), load_weights=False)
        assert isinstance(network, SVMNetwork), "as it was prepared"
        network.body.load_state_dict(load_file(prepared.run_folder / BEST_WEIGHTS))
        return network.eval()


def fit(prepared: PreparedTraining, processes: Processes = ALONE) -> FittedTraining:
    """Train the prepared network in place; the best one so far is always on disk.

    Of pooled features there is nothing to train.

    Raises:
        VideoError: a video that cannot be read any more.
        TrainingError: the loss is no longer a number, the process was told to end, or another one has ended.
    """
    data, network = prepared.data, prepared.network
    if data is None:
        return FittedTraining(prepared, ValidationResult(0), 0)
    learning = network.body if isinstance(network, SVMNetwork) else network  # an SVM comes at the end
    assert not isinstance(learning, Pooled), "pooled features have no data for iterations"
    learning.train()  # Lightning keeps the mode that it finds, and computing features left it in test mode
    if is_first_process():  # only now, so that a recipe that is wrong leaves nothing behind
        write_recipe(prepared.run_folder, prepared.recipe)
    learner = Learner(learning, prepared.recipe.train, prepared.iterations, data, _keeper(prepared))
    interruption = Interruption()
    with _quiet_lightning(), interruption.listening(), launched(processes):
        processes.meet(prepared.run_folder)
        with tracked(prepared.run_folder, prepared.recipe) as tools:
            trainer = _trainer(prepared, learner, interruption, tools, processes.place)
            with _naming_the_lost(processes, interruption):
                _run(trainer, learner, prepared.checkpoint)
    assert learner.best is not None, "a finished period has a validation result"
    return FittedTraining(prepared, learner.best, trainer.global_step)


def _keeper(prepared: PreparedTraining) -> Callable[[Network, ValidationResult], None]:
    """What writes the best network so far: a model, or weights that an SVM is still to be put on."""
    folder = prepared.run_folder

    def keep_model(network: Network, result: ValidationResult) -> None:
        labels, training = prepared.listings.labels, {"validation_result": asdict(result)}
        Model(network, labels, prepared.recipe, training).save_pretrained(folder / MODEL_FOLDER)

    def keep_weights(body: Network, _: ValidationResult) -> None:
        state = {key: value.cpu().contiguous() for key, value in body.state_dict().items()}
        with written_whole(folder / BEST_WEIGHTS) as file:
            save_file(state, file)

    return keep_weights if isinstance(prepared.network, SVMNetwork) else keep_model


def _run(trainer: L.Trainer, learner: Learner, checkpoint: Path | None) -> None:
    """Train; an interruption, which Lightning turns into the end of the process, comes out as what it is."""
    try:
        trainer.fit(learner, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        raise KeyboardInterrupt from None


@contextmanager
def _naming_the_lost(processes: Processes, interruption: Interruption) -> Iterator[None]:
    """Where another process has ended, this one hears of a connection that broke: say which one it was."""
    try:
        yield
    except RuntimeError as error:
        if interruption.is_asked or not processes.is_lost(error):
            raise
        lost = processes.lost(error)
        interruption.forget()  # torchrun has told this process to end meanwhile, for the same reason
        raise lost from error


def _strategy(section: TrainSection) -> str | Strategy:
    """How Lightning trains by several processes."""
    if section.strategy == "fsdp":
        from attcell.training.sharding import ShardedStrategy

        return ShardedStrategy()
    return "ddp" if section.processes > 1 else "auto"


def _trainer(
    prepared: PreparedTraining, learner: Learner, interruption: Interruption, tools: Tracked, place: Place
) -> L.Trainer:
    section, run_folder = prepared.recipe.train, prepared.run_folder
    return L.Trainer(
        accelerator=section.accelerator,
        devices=section.devices,
        num_nodes=section.num_nodes,
        strategy=_strategy(section),
        precision="bf16-mixed" if section.precision == "bf16" else "32-true",
        accumulate_grad_batches=section.accumulate,
        gradient_clip_val=section.clip_gradient_norm,
        max_epochs=len(learner.periods),
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0 if learner.training_data.val is None else 1.0,
        log_every_n_steps=max(1, learner.iterations // 500),
        logger=tools.loggers or False,
        callbacks=[
            ModelCheckpoint(
                run_folder / "checkpoints",
                filename="last",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
            TrainingProgress(),
            *_pictures(prepared, interruption, tools),
            interruption,
        ],
        plugins=[_WholeCheckpoints(), environment(place)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _pictures(
    prepared: PreparedTraining, interruption: Interruption, tools: Tracked
) -> list[AttentionPictures]:
    """What draws attention as the training goes, where the recipe wants that."""
    section, listings = prepared.recipe.train.pictures, prepared.listings
    if section is None or not is_first_process():
        return []
    drawn = Drawn(
        section,
        prepared.recipe,
        listings.labels,
        listings.val,
        prepared.run_folder,
        tools.shows,
        lambda: interruption.is_asked,
    )
    return [AttentionPictures(drawn)]


class _WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole in their place. Lightning moves them there from the folder of temporary
    files. Where that is on another disk, moving is copying, and a kill or a full disk leaves half of a file.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with written_whole(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's advice off the terminal; errors come through as exceptions."""
    theirs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [one.level for one in theirs]
    for one in theirs:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message="FSDP2-wrapped module")  # no output is changed in place
            yield
    finally:
        for one, level in zip(theirs, levels, strict=True):
            one.setLevel(level)


class Interruption(L.Callback):
    """Signals that end the process, during a training: their handlers wait until the next batch begins.

    An exception that a handler raises at once may come in a destructor, where Python drops it. And processes
    that decode, which inherit the handlers and get a terminal's signals too, would end by it.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._before: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within this, SIGINT, SIGTERM and SIGHUP are kept until the next batch. If the training ends before
        by an error, their handlers come first. Python lets only the main thread listen.

        Raises:
            KeyboardInterrupt: by SIGINT, and by any other whose handler does not end the process.
            TrainingError: by SIGTERM without a handler.
        """
        if current_thread() is not main_thread():
            yield
            return
        handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._before = {
            one: handler for one, handler in handlers.items() if callable(handler) or one == signal.SIGTERM
        }
        self._listen()
        try:
            yield
        except BaseException:
            self._end()
            raise
        finally:
            for one, handler in self._before.items():
                signal.signal(one, handler)

    @property
    def is_asked(self) -> bool:
        """Whether a signal has come, and nothing was done about it yet."""
        return self._asked is not None

    def forget(self) -> None:
        """The process ends for another reason."""
        self._asked = None

    def on_train_start(self, *_: Any) -> None:
        self._listen()  # Lightning has set its own handlers since, which end the other processes

    def on_train_batch_start(self, *_: Any) -> None:
        self._end()

    def on_validation_batch_start(self, *_: Any) -> None:
        self._end()

    def _listen(self) -> None:
        for one in self._before:
            signal.signal(one, self._ask)

    def _ask(self, number: int, _: Any) -> None:
        self._asked = number

    def _end(self) -> None:
        if self._asked is None:
            return
        number, self._asked = self._asked, None
        handler = self._before[number]
        if callable(handler):
            handler(number, None)
            raise KeyboardInterrupt
        error = TrainingError("terminated; go on from the last checkpoint with --resume")
        error.exit_status = 128 + number
        raise error


class TrainingProgress(L.Callback):
    """One bar over the whole training, on the first process only: iterations, loss, accuracy, time left."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def on_train_start(self, trainer: L.Trainer, learner: Any) -> None:
        if not trainer.is_global_zero:
            return
        self._bar = self._open.enter_context(progress_bar())
        self._task = self._bar.add_task(
            "training", total=learner.iterations, completed=trainer.global_step, note=""
        )

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        figures = {key: float(value) for key, value in trainer.callback_metrics.items()}
        shown = {"train_loss": "loss", "val_accuracy": "validation accuracy"}
        note = "  ".join(f"{name} {figures[key]:.3f}" for key, name in shown.items() if key in figures)
        self._bar.update(self._task, completed=trainer.global_step, note=note)

    def on_train_end(self, *_: Any) -> None:
        self._open.close()

    def on_exception(self, *_: Any) -> None:
        self._open.close()
