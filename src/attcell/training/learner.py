"""The training loop's inside, on Lightning: one step, one validation, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from attcell._log import logger
from attcell._shared_memory import data_loader
from attcell.config.train_section import TrainSection
from attcell.data.datasets import Batch, PlannedParts, Views, collate
from attcell.data.groups import groups_of
from attcell.data.order import BalancedVideos, Draw, ShuffledVideos, TrainingOrder
from attcell.errors import DataError, ModelError, TrainingError, VideoError
from attcell.inference.heard import but_silence
from attcell.inference.run import Encoded, Gatherer, decide_views, encode_part, mean_scores
from attcell.metrics.recognition import truth_matrix
from attcell.metrics.statistics import accuracy_interval
from attcell.nn import BranchesOutput, Network, Output
from attcell.training.mixing import Mixing, mixed_targets
from attcell.training.prepare import TrainingData
from attcell.training.schedule import (
    ValidationResult,
    balanced_weights,
    build_optimizer,
    build_schedule,
    num_validations,
    periods,
)

if TYPE_CHECKING:
    from attcell.training.sharding import WholeCopy

CHECKPOINT_FORMAT = 4  # raise it when an older run cannot be gone on with


class Learner(L.LightningModule):
    """Trains a network. Everything random about an iteration follows from the seed and its number alone."""

    def __init__(
        self,
        network: Network,
        section: TrainSection,
        iterations: int,
        training_data: TrainingData,
        keep: Callable[[Network, ValidationResult], None],
    ) -> None:
        super().__init__()
        self.network = network
        self.whole_copy: WholeCopy | None = None  # of a network that lies in shards
        self.section = section
        self.iterations = iterations
        self.periods = periods(iterations, section.checkpoint_every)
        self.training_data = training_data
        self.keep = keep
        self.best: ValidationResult | None = None
        self.latest = ValidationResult(0)
        self.sums = torch.zeros(3)  # of the validation so far: correct ones, losses, videos
        self.right = torch.zeros(0)  # of the validation so far: 1 for each video that was right
        self.step_losses: list[tuple[Tensor, int]] = []  # of this step's parts so far, with their videos
        self.told: set[str] = set()
        self.gatherer = self._new_gatherer()
        labels, seed = training_data.labels, section.seed
        self.videos: Draw = (
            BalancedVideos(labels, seed) if section.balanced_sampling else ShuffledVideos(len(labels), seed)
        )
        self.mixing = Mixing(section.mixup, section.cutmix, seed) if section.mixup or section.cutmix else None
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)
        if section.class_weights is not None:
            self.class_weights = balanced_weights(labels, training_data.num_classes, section.loss)

    @property
    def judged(self) -> Network:
        """The network as a whole, which the validation asks and which is kept."""
        return self.network if self.whole_copy is None else self.whole_copy.network

    def forward(self, inputs: Mapping[str, Tensor]) -> Output:
        """What the network makes of kept feature maps, which are in 16 bits until here, or of pictures."""
        if not self.training_data.kept_features:
            return self.network(inputs)
        precision = next(self.network.parameters()).dtype
        return self.network.attend({name: of.to(precision) for name, of in inputs.items()})

    def training_step(self, batch: Batch | VideoError, index: int) -> Tensor:
        """The loss of a part of an iteration's batch; the last part logs the mean over all of its videos, and
        the learning rate that the step is about to use.
        """
        if isinstance(batch, VideoError):
            raise batch
        loss = self.loss_of(batch)
        if not torch.isfinite(loss):
            raise _diverged(f"the loss is {loss.item()}", self.global_step + 1)
        self._log_step(loss.detach(), len(batch.labels), index)
        return loss

    def loss_of(self, batch: Batch) -> Tensor:
        """The loss of some videos at their positions; draws follow from these."""
        self._tell(but_silence(batch.notes))
        # Dropout's draws depend on the place in training, so that a resumed run repeats them.
        # PyTorch takes 64 bits: seeds that differ by a multiple of 2^24 share the draws, but not the order.
        torch.manual_seed(((self.section.seed << 40) + int(batch.positions[0])) % 2**64)
        if self.mixing is None:
            out = self(batch.inputs)
            truth = torch.from_numpy(truth_matrix(batch.labels, out.logits.shape[-1])).to(out.logits)
        else:
            inputs, shares = self.mixing.mix(batch.inputs, batch.positions)
            out = self(inputs)
            truth = torch.from_numpy(truth_matrix(batch.labels, out.logits.shape[-1])).to(out.logits)
            truth = mixed_targets(self._shared(truth), shares)
        return self._loss(out, truth)

    def on_train_batch_end(self, *_: Any) -> None:
        if self.trainer.is_last_batch:
            self._refuse_broken_weights()

    def on_validation_epoch_start(self) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        self.right = torch.zeros(len(self.training_data.val_records), device=self.device)
        self._gather_weights()
        self.gatherer = self._new_gatherer()

    def validation_step(self, part: Views, _: int) -> None:
        video = self.gatherer.add(part)
        if video is None:
            return
        if video.error is not None:
            raise video.error
        record = self.training_data.val_records[video.video]
        self._tell(f"{record.id}: {note}" for note in but_silence(video.notes))
        try:
            found = mean_scores(decide_views(self.judged, video.parts), self.section.loss)
        except ModelError as error:
            raise _diverged(
                "the scores of a validation video are no finite numbers", self.global_step
            ) from error
        loss = self._log_loss(found.all, record.labels)
        correct = int(found.all.argmax()) in record.labels
        self.sums += torch.tensor([correct, loss, 1.0]).to(self.sums)
        self.right[video.video] = float(correct)

    def on_validation_epoch_end(self) -> None:
        correct, loss, count = self.trainer.strategy.reduce(self.sums, reduce_op="sum").tolist()
        right = self.trainer.strategy.reduce(self.right, reduce_op="sum").cpu().numpy() > 0.5
        interval = accuracy_interval(right, groups_of(self.training_data.val_records))
        self.latest = ValidationResult(self.global_step, correct / count, loss / count, interval)
        self.log_dict({"val_accuracy": correct / count, "val_loss": loss / count}, rank_zero_only=True)

    def on_train_epoch_end(self) -> None:
        """After each period: judge the network, and keep it if it is the best yet."""
        if self.training_data.val is None:
            self.latest = ValidationResult(self.global_step)
            self._gather_weights()
        if self.latest.beats(self.best):
            self.best = self.latest
            if self.trainer.is_global_zero:
                self.keep(self.judged, self.best)
        if self.whole_copy is not None:
            self.whole_copy.put_away()
        self._stop_if_stale()

    def on_train_start(self) -> None:
        self._stop_if_stale()  # a run that had ended early is gone on with

    def train_dataloader(self) -> DataLoader[Batch | VideoError]:
        """The videos of the current period."""
        order = TrainingOrder(
            self.videos,
            self.section.batch_size,
            self.periods[min(self.trainer.current_epoch, len(self.periods) - 1)],
            accumulate=self.section.accumulate,
            device=self.trainer.global_rank,
            num_devices=self.trainer.world_size,
        )
        return data_loader(
            self.training_data.train,
            batch_size=order.part_size,
            sampler=order,
            num_workers=self.training_data.workers,
            collate_fn=collate,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        if self.training_data.val is None:
            return []
        val, share = self.training_data.val, self._share()
        workers = self.training_data.workers
        if isinstance(val, PlannedParts):
            return data_loader(val.only(share), batch_size=None, num_workers=workers)
        return data_loader(val, batch_size=None, sampler=share, num_workers=workers)

    def configure_optimizers(self) -> Any:
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = build_optimizer(self.section, trained)
        schedule = build_schedule(self.section, optimizer, self.iterations)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        best = self.best
        checkpoint["best"] = None if best is None else list(asdict(best).values())
        checkpoint["format"] = CHECKPOINT_FORMAT
        checkpoint["identity"] = self.training_data.identity

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if (found := checkpoint.get("format")) != CHECKPOINT_FORMAT:
            raise DataError(
                f"this run's checkpoint is of an older attcell (format {found!r}, and this one reads format "
                f"{CHECKPOINT_FORMAT}); train again in another run folder"
            )
        before, now = checkpoint["identity"], self.training_data.identity
        differing = [name for name in now if before[name] != now[name]]
        if differing:
            raise DataError(
                f"the {' and '.join(differing)} are not those that this run began with; "
                "put them back as they were, or begin another run"
            )
        if checkpoint["best"] is None:
            self.best = None
            return
        iterations, accuracy, loss, interval = checkpoint["best"]
        ends = None if interval is None else (interval[0], interval[1])
        self.best = ValidationResult(iterations, accuracy, loss, ends)

    def _log_step(self, loss: Tensor, num_videos: int, index: int) -> None:
        """Log an iteration's loss and learning rate with the last part of its batch."""
        accumulate = self.trainer.accumulate_grad_batches
        if index % accumulate == 0:
            self.step_losses.clear()
        self.step_losses.append((loss, num_videos))
        if (index + 1) % accumulate == 0:
            total = torch.stack([one * videos for one, videos in self.step_losses]).sum()
            mean = total / sum(videos for _, videos in self.step_losses)
            self.log("train_loss", mean, sync_dist=self.trainer.world_size > 1)
            self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"])

    def _loss(self, out: Output, truth: Float[Tensor, "B A"]) -> Tensor:
        """The cross-entropies of what learns by itself, summed; of a network with steps the steps' mean.

        *Reading* of branch selection: the mean square of the gate's raw scores can be a penalty.
        """
        first = 0 if self.section.steps == "all" else -1
        losses = [self._cross_entropy(logits[:, first:], truth) for logits in out.learnt_logits]
        if self.section.gate_penalty and isinstance(out, BranchesOutput) and out.joined.selection is not None:
            losses.append(self.section.gate_penalty * out.joined.selection[:, first:].square().mean())
        return torch.stack(losses).sum()

    def _cross_entropy(self, logits: Float[Tensor, "B T A"], truth: Float[Tensor, "B A"]) -> Tensor:
        """The mean over all steps of all videos.

        *Reading* of a video of several classes: they share its target evenly; or, with ``train.loss``
        sigmoid, each class is a question of its own, and the mean over them counts.

        Balanced class weights are 1 on average over the training videos, so that the loss keeps its scale.
        """
        flat, smoothing = logits.flatten(0, 1), self.section.label_smoothing
        wanted = truth.repeat_interleave(logits.shape[1], dim=0)
        weights = self.class_weights
        if self.section.loss == "sigmoid":
            each = None if weights is None else weights[1] * wanted + weights[0] * (1 - wanted)
            return F.binary_cross_entropy_with_logits(flat, wanted * (1 - smoothing) + smoothing / 2, each)
        return F.cross_entropy(flat, self._shared(wanted), weights, label_smoothing=smoothing)

    def _shared(self, truth: Float[Tensor, "B A"]) -> Float[Tensor, "B A"]:
        """The target: with a softmax a video's classes share it; with sigmoids each class is by itself."""
        return truth if self.section.loss == "sigmoid" else truth / truth.sum(1, keepdim=True)

    def _log_loss(self, scores: Float[Tensor, " A"], labels: tuple[int, ...]) -> float:
        """The loss without smoothing, of scores that may be averages of several views."""
        own = torch.zeros_like(scores)
        own[list(labels)] = 1
        if self.section.loss == "sigmoid":
            return float(F.binary_cross_entropy(scores, own))
        return float(-(scores.clamp_min(1e-12).log() * own).sum() / len(labels))

    def _validations_since_best(self) -> int:
        """It follows from the numbers of iterations alone, so that nothing more need be kept to go on."""
        if self.best is None:
            return 0
        every = self.section.checkpoint_every
        return num_validations(self.global_step, every) - num_validations(self.best.iterations, every)

    def _stop_if_stale(self) -> None:
        """End the training where so many validations in a row gave no better network."""
        patience = self.section.early_stopping
        if patience is None or self._validations_since_best() < patience:
            return
        assert self.best is not None, "it is older than others"
        self.trainer.should_stop = True
        if self.global_step < self.iterations:
            self._tell(
                [
                    f"stopped early, after {self.global_step} of {self.iterations} iterations: {patience} "
                    f"validations since iteration {self.best.iterations} gave no better network"
                ]
            )

    def _refuse_broken_weights(self) -> None:
        """The last step of a period may have broken them, and no loss comes after it to tell."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.network.parameters()):
            raise _diverged("the weights are no finite numbers", self.global_step)

    def _tell(self, notes: Iterable[str]) -> None:
        """Say each note on a file once."""
        for note in notes:
            if note not in self.told:
                self.told.add(note)
                logger.info(note)

    def _new_gatherer(self) -> Gatherer[Encoded]:
        kept_features = self.training_data.kept_features
        return Gatherer(partial(encode_part, self.judged, kept_features=kept_features))

    def _gather_weights(self) -> None:
        """A network in shards is judged and kept as a whole copy; all processes gather it at once."""
        if self.whole_copy is not None:
            self.whole_copy.take(self.network, self.device)

    def _share(self) -> range:
        """This device's part of the validation videos."""
        return range(self.trainer.global_rank, len(self.training_data.val_records), self.trainer.world_size)


def _diverged(what: str, iteration: int) -> TrainingError:
    return TrainingError(
        f"{what} at iteration {iteration}; the last checkpoint is from before. "
        "Lower train.learning_rate, or set train.clip_gradient_norm"
    )
