"""Late fusion after training: how much each stream's network counts, by the validation videos."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import DataLoader

from attcell._log import logger, track
from attcell.errors import VideoError
from attcell.inference.run import mean_scores
from attcell.metrics.fusion import fusion_weights
from attcell.metrics.recognition import hit_rate, truth_matrix
from attcell.nn import LateFusion
from attcell.training.prepare import TrainingData


def tune_fusion(network: LateFusion, training_data: TrainingData) -> tuple[float, float] | None:
    """Set the weights of the streams to those that do best on the validation videos; without any, all alike.

    Returns:
        accuracy and log-loss on these videos with the weights; None without any.

    Raises:
        VideoError: a validation video that cannot be read any more.
    """
    if training_data.val is None:
        logger.info("late fusion: no validation videos to weigh the streams by, so all count alike")
        return None
    network.eval()
    rows = []
    loader = DataLoader(training_data.val, batch_size=None, num_workers=training_data.workers)
    for views in track(loader, len(training_data.val_records), "weighing streams"):
        if isinstance(views, VideoError):
            raise views
        with torch.inference_mode():
            found = mean_scores(network, views.inputs, "softmax", kept_features=training_data.kept_features)
        rows.append(torch.stack(list(found.by_stream.values())).double().cpu().numpy())
    scores = np.stack(rows, axis=1)
    truth = truth_matrix([record.labels for record in training_data.val_records], scores.shape[-1])
    weights = fusion_weights(scores, truth)
    network.set_weights(torch.from_numpy(weights))
    named = zip(network.networks, weights, strict=True)
    logger.info("late fusion: " + ", ".join(f"{name} counts {weight:.2f}" for name, weight in named))
    fused = np.einsum("m,mna->na", weights, scores)
    losses = -(np.log(np.maximum(fused, 1e-12)) * truth).sum(axis=1) / truth.sum(axis=1)
    return hit_rate(fused, truth, 1), float(losses.mean())
