"""Which branch a network that selects branches relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from attcell.data.dataset import KeptViews
from attcell.engine.build import evaluation_plan
from attcell.engine.evaluation import listing_of
from attcell.engine.inference import run_views
from attcell.engine.material import filled_stores
from attcell.engine.model_folder import load_model


@torch.inference_mode()
def shares_of_branches(name: str, model: Path) -> dict[str, float]:
    """The share that each branch has in the sum of both, of the last step, in percent.

    Args:
        name: of the network, in the table.
        model: the model folder of a branch selection.

    Returns:
        The mean over the test videos.
    """
    saved = load_model(model)
    recipe, network = saved.recipe, saved.network.eval()
    assert recipe.cache.folder is not None, "the suite keeps features"
    records = listing_of(saved, "test").records
    stores, _ = filled_stores(
        recipe.cache.folder, recipe, network, records, evaluation_plan(recipe), torch.device("cpu")
    )
    views = KeptViews(records, stores)
    shares = [
        run_views(network, views[index].inputs, kept_features=True).stream_weights
        for index in range(len(views))
    ]
    return {
        f"{name}: share of {stream}": 100 * float(np.mean([of[stream] for of in shares]))
        for stream in recipe.model.streams
    }
