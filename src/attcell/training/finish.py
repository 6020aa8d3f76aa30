"""After the iterations: late fusion is weighed, an SVM is fitted, the model is whole, and what it came to."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attcell._log import is_within, logger, minutes, track
from attcell._owners import is_first_process
from attcell._shared_memory import data_loader
from attcell.data.groups import groups_of
from attcell.inference.heard import silence_sentences, silent_ids
from attcell.inference.model import Model
from attcell.inference.run import decide_views, mean_scores, run_videos
from attcell.metrics.recognition import fusion_weights, hit_rate, truth_matrix
from attcell.metrics.statistics import accuracy_interval
from attcell.nn import LateFusion, Network, SVMNetwork
from attcell.report.lines import interval_words
from attcell.training.prepare import PreparedTraining, TrainingData
from attcell.training.run_folder import MODEL_FOLDER, REPRESENTATIONS, write_recipe
from attcell.training.schedule import ValidationResult

if TYPE_CHECKING:
    from attcell.training.fit import FittedTraining
    from attcell.training.svm_fit import InnerFigure


@dataclass(frozen=True, repr=False)
class TrainingOutcome:
    """What came of a training.

    Attributes:
        model_folder: where the model is.
        best: how it did on the validation videos, and after how many iterations. An SVM is not asked.
        iterations: that were done, all or until it stopped early; 0 where only an SVM was fitted.
        num_val: validation videos.
        epochs: over the training videos, that went by until the best network, and in all.
        inside: how an SVM's choice did inside the training videos; None without one.
        has_test: whether the recipe names test videos.
    """

    model_folder: Path
    best: ValidationResult
    iterations: int
    num_val: int = 0
    epochs: tuple[float, float] = (0.0, 0.0)
    inside: InnerFigure | None = None
    has_test: bool = False

    def __repr__(self) -> str:
        told = f"{self.model_folder}, iteration {self.best.iterations} of {self.iterations}"
        accuracy = self.best.accuracy
        return f"TrainingOutcome({told}{'' if accuracy is None else f', val accuracy {accuracy:.3f}'})"


def finish(fitted: FittedTraining) -> TrainingOutcome:
    """Complete the best network by what no gradient teaches, and write it as the run's model.

    Raises:
        VideoError: a video that cannot be read any more.
    """
    prepared, best = fitted.prepared, fitted.best
    model_folder = prepared.run_folder / MODEL_FOLDER

    inside: InnerFigure | None = None

    def save(network: Network, result: ValidationResult) -> None:
        training = {} if prepared.data is None else {"validation_result": asdict(result)}
        training |= {} if inside is None else {"svm": asdict(inside)}
        Model(network, prepared.listings.labels, prepared.recipe, training).save_pretrained(model_folder)

    if isinstance(prepared.network, LateFusion) and is_first_process():
        network = fitted.best_network().to(prepared.device)
        assert isinstance(network, LateFusion) and prepared.data is not None, "as it was prepared"
        figures = tune_fusion(network, prepared.data)
        if figures is not None:
            best = replace(best, accuracy=figures[0], loss=figures[1], interval=figures[2])
        save(network, best)
    if isinstance(prepared.network, SVMNetwork) and is_first_process():
        from attcell.training.svm import fit_svm_of  # scikit-learn, imported where it is used

        network = fitted.best_network()
        assert isinstance(network, SVMNetwork) and prepared.svm_videos is not None, "as it was prepared"
        write_recipe(prepared.run_folder, prepared.recipe)  # from now on there is something to go on from
        kept = prepared.run_folder / REPRESENTATIONS
        inside = fit_svm_of(
            network, prepared.svm_videos, prepared.recipe, prepared.listings, prepared.device, kept
        )
        save(network, best)
        shutil.rmtree(kept, ignore_errors=True)
        best = ValidationResult(best.iterations)  # of the network that the SVM has been put on
    _tell_of_silence(prepared)
    a_batch = prepared.recipe.train.batch_size / len(prepared.listings.train)
    return TrainingOutcome(
        model_folder,
        best,
        fitted.iterations,
        len(prepared.listings.val),
        (best.iterations * a_batch, fitted.iterations * a_batch),
        inside,
        prepared.recipe.data.test is not None or prepared.recipe.data.dataset is not None,
    )


def _tell_of_silence(prepared: PreparedTraining) -> None:
    """Say how many videos had no sound, where any was to be heard; of one training of many nothing."""
    if is_within() or not is_first_process():
        return
    records = (*prepared.listings.train, *prepared.listings.val)
    for sentence in silence_sentences(silent_ids(prepared.recipe, records), len(records)):
        logger.info(sentence)


def tune_fusion(
    network: LateFusion, training_data: TrainingData
) -> tuple[float, float, tuple[float, float]] | None:
    """Set the weights of the streams to those that do best on the validation videos; without any, all alike.

    Returns:
        accuracy and log-loss on these videos with the weights, and the accuracy's interval; None without any.

    Raises:
        VideoError: a validation video that cannot be read any more.
    """
    if training_data.val is None:
        logger.info("late fusion: no validation videos to weigh the streams by, so all count alike")
        return None
    network.eval()
    rows: dict[int, np.ndarray] = {}
    loader = data_loader(training_data.val, batch_size=None, num_workers=training_data.workers)
    videos = run_videos(network, loader, kept_features=training_data.kept_features)
    for video in track(videos, len(training_data.val_records), "weighing streams"):
        if video.error is not None:
            raise video.error
        found = mean_scores(decide_views(network, video.parts), "softmax")
        rows[video.video] = torch.stack(list(found.by_stream.values())).double().cpu().numpy()
    scores = np.stack([rows[number] for number in range(len(rows))], axis=1)
    truth = truth_matrix([record.labels for record in training_data.val_records], scores.shape[-1])
    weights = fusion_weights(scores, truth)
    network.set_weights(torch.from_numpy(weights))
    named = zip(network.networks, weights, strict=True)
    logger.info("late fusion: " + ", ".join(f"{name} counts {weight:.2f}" for name, weight in named))
    fused = np.einsum("m,mna->na", weights, scores)
    losses = -(np.log(np.maximum(fused, 1e-12)) * truth).sum(axis=1) / truth.sum(axis=1)
    right = truth[np.arange(len(truth)), fused.argmax(axis=1)]
    interval = accuracy_interval(right, groups_of(training_data.val_records))
    return hit_rate(fused, truth, 1), float(losses.mean()), interval


def training_lines(outcome: TrainingOutcome, seconds: float) -> list[str]:
    """What a training came to, and what to do next."""
    best, model = outcome.best, outcome.model_folder
    lines = []
    inside, value = outcome.inside, None if outcome.inside is None else outcome.inside.value
    if inside is not None and value is not None:
        within = "" if inside.interval is None else f" (95 % interval {interval_words(inside.interval)})"
        lines.append(
            f"SVM, {inside.measure} inside the training videos: {100 * value:.1f} %{within}, by "
            f"{inside.validation}"
        )
    elif best.accuracy is not None:
        within = "" if best.interval is None else f" (95 % interval {interval_words(best.interval)})"
        lines.append(
            f"best validation accuracy: {100 * best.accuracy:.1f} % of {outcome.num_val} videos{within}"
        )
    elif inside is None:
        lines.append("no validation videos: the last network is kept (data.val_fraction=0.2 holds some out)")
    if outcome.iterations:
        at, of = outcome.epochs
        lines.append(f"kept: iteration {best.iterations} of {outcome.iterations}, epoch {at:.1f} of {of:.1f}")
    return [
        *lines,
        f"time: {minutes(seconds)}",
        f"model: {model}",
        f"next: attcell test {model}{'' if outcome.has_test else ' --data TEST_VIDEOS'}",
        f"      attcell predict VIDEO --model {model} --report video.html",
    ]


def training_values(outcome: TrainingOutcome, seconds: float) -> dict[str, Any]:
    """The same for programs; metrics in percent."""
    best, inside = outcome.best, outcome.inside
    svm = None
    if inside is not None:
        svm = {
            "measure": inside.measure,
            "value": _of_hundred(inside.value),
            "interval": _both_of_hundred(inside.interval),
            "validation": inside.validation,
        }
    return {
        "model": str(outcome.model_folder),
        "accuracy": _of_hundred(best.accuracy),
        "interval": _both_of_hundred(best.interval),
        "num_videos": outcome.num_val,
        "iteration": best.iterations,
        "iterations": outcome.iterations,
        "epoch": round(outcome.epochs[0], 2),
        "epochs": round(outcome.epochs[1], 2),
        "svm": svm,
        "seconds": round(seconds, 1),
    }


def _of_hundred(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _both_of_hundred(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(100 * end, 2) for end in interval]
