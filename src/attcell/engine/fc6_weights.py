"""Loading the weights of fc6, which the published files hold and a backbone has cut off."""

from __future__ import annotations

from pathlib import Path

from attcell.engine.weights import misfit, published_state, state_of_stream
from attcell.errors import CallError, ModelError
from attcell.nn import FC6, PooledStream


def load_fc6_weights(stream: PooledStream, weights: str, name: str = "frame") -> None:
    """Fill a stream's fc6 with what follows its backbone in the same published weights.

    Load the backbone's own by :func:`attcell.engine.weights.load_backbone_weights`, from the same place.

    Args:
        stream: one whose pooling is fc6.
        weights: as of the backbone: ``pretrained``, ``none``, a file with the published key names, or a model
            folder of attcell whose stream has an fc6 of the same backbone.
        name: whose fc6 to take from a model folder; where it has no such stream, the frame stream's.

    Raises:
        CallError: the stream's pooling is not fc6, ``pretrained`` for a backbone without published weights,
            or no such file.
        ModelError: the file holds no weights or no such layer, or cannot be downloaded.
    """
    pooling = stream.pooling
    if not isinstance(pooling, FC6):
        raise CallError(
            f"the {name} stream is pooled by {type(pooling).__name__}, which has no fc6 to load; give one "
            "with the pooling fc6"
        )
    if weights == "none":
        return
    if Path(weights).is_dir() and weights != "pretrained":
        state, prefix = state_of_stream(Path(weights), name, "frame"), "pooling.layer."
    else:
        state, prefix = published_state(stream.backbone, weights), f"{pooling.published}."
    found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    wanted = pooling.layer.state_dict()
    reasons = misfit(wanted, found, wanted)
    if reasons:
        raise ModelError(
            f"weights {weights} hold no fc6 of {pooling.name} under {prefix.removesuffix('.')}: {reasons}. "
            "Give a file of the whole published network, with its classifier"
        )
    pooling.layer.load_state_dict(found)
