"""What the commands print of their results, line by line."""

from __future__ import annotations

from attcell.engine.evaluation import Evaluation
from attcell.records import Prediction


def prediction_line(prediction: Prediction) -> str:
    """The three best classes of a video, and when the network looked most."""
    best = ", ".join(f"{label} {100 * score:.1f} %" for label, score in prediction.top(3))
    attention = prediction.temporal_attention
    if attention.max() == attention.min():  # SAN and averaging look at all segments alike
        return f"{prediction.video}: {best}"
    start, end = prediction.segments_seconds[int(attention.argmax())]
    return f"{prediction.video}: {best} (most attention at {start:.1f}-{end:.1f} s)"


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures of a test, and the protocol that made them."""
    figures = [f"{name.replace('_', ' '):20} {value:6.2f} %" for name, value in evaluation.figures().items()]
    protocol = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evaluation.protocol.items())
    return [*figures, f"protocol: {protocol}"]
