"""What the commands print of their results, line by line."""

from __future__ import annotations

from collections.abc import Sequence

from attcell.engine.evaluation import Evaluation
from attcell.records import Prediction
from attcell.report.curve import clock
from attcell.report.found import worth_showing
from attcell.sections import PublishedSection


def prediction_line(prediction: Prediction) -> str:
    """The three best classes of a video, and when the network looked most."""
    best = ", ".join(f"{label} {100 * score:.1f} %" for label, score in prediction.top(3))
    attention = prediction.temporal_attention
    if attention.max() == attention.min():  # SAN and averaging look at all segments alike
        return f"{prediction.video}: {best}"
    start, end = prediction.segments_seconds[int(attention.argmax())]
    return f"{prediction.video}: {best} (most attention at {start:.1f}-{end:.1f} s)"


def detection_lines(prediction: Prediction, most: int = 10) -> list[str]:
    """The best of the actions found in a video, best first."""
    found = prediction.detections or ()
    shown = worth_showing(found)[:most]
    lines = [f"{prediction.video}: {len(shown)} {'action' if len(shown) == 1 else 'actions'}"]
    for of in shown:
        lines.append(f"  {clock(of.start_seconds)} to {clock(of.end_seconds)}  {of.label}  {of.score:.3g}")
    hidden = len(found) - len(shown)
    return [*lines, f"  and {hidden} more of lower scores"] if hidden else lines


def evaluation_lines(evaluation: Evaluation, published: Sequence[PublishedSection] = ()) -> list[str]:
    """The figures of a test, the paper's beside them, and the protocol that made ours."""
    found = evaluation.figures()
    figures = [f"{name.replace('_', ' '):20} {value:6.2f} %" for name, value in found.items()]
    protocol = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evaluation.protocol.items())
    return [*figures, *(_published_line(one, found) for one in published), f"protocol: {protocol}"]


def _published_line(published: PublishedSection, found: dict[str, float]) -> str:
    value = "a number that we do not have" if published.value is None else f"{published.value:.1f} %"
    ours = found.get(published.figure)
    beside = "" if ours is None or published.value is None else f", ours {ours - published.value:+.1f} points"
    return f"published {published.figure}: {value} ({published.source}, {published.row}){beside}"
