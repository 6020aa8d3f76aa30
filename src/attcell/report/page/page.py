"""The report: one HTML page that holds everything in itself and opens from disk."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from attcell._checks import path_of, shown
from attcell._files import write_text
from attcell._paths import short_names
from attcell.errors import CallError
from attcell.flow.colours import WHEEL
from attcell.report.colours import RAMP, SHADE
from attcell.report.page.media import RAMPS, share_of
from attcell.report.page.views import video_view
from attcell.types import Prediction


def write_report(
    predictions: Sequence[Prediction], path: str | Path, model: Mapping[str, str] | None = None
) -> None:
    """Write a page on one or more predictions: what was seen, and where and when the evidence is.

    The videos lie inside it, as they are if they are small, and take some 40 MiB together.

    Args:
        predictions: in the order of the page; at least one.
        path: the HTML file; written whole or not at all.
        model: names and values that describe the model, shown at the end of the page.

    Raises:
        CallError: something else than predictions was given, or none, or one whose parts do not fit together.
        ModelError: a prediction holds values that are not finite numbers.
    """
    path = path_of(path, "path", "report.html")
    if not isinstance(predictions, Sequence) or not all(isinstance(one, Prediction) for one in predictions):
        raise CallError(f"predictions are {shown(predictions)}; give a list of what Model.predict returns")
    if not isinstance(model, Mapping | None):
        raise CallError(f'model is {shown(model)}; give names and values, such as {{"model": "runs/mine"}}')
    if not predictions:
        raise CallError("a report needs at least one prediction, but none was given; predict a video first")
    write_text(path, render(predictions, model or {}))


def render(
    predictions: Sequence[Prediction], model: Mapping[str, str], titles: Sequence[str] | None = None
) -> str:
    """The page's text. The videos are called by their titles, or by their paths where there are none."""
    paths = [prediction.video for prediction in predictions] if titles is None else titles
    names = short_names(paths)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("attcell.report.page", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = percent
    environment.filters["capfirst"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["embedded"] = embedded_json
    most = share_of(len(predictions))
    views = [video_view(*named, most) for named in zip(predictions, names, strict=True)]
    videos = [replace(view, path=path) for view, path in zip(views, paths, strict=True)]
    data = [{**one.to_dict(), "video": path} for one, path in zip(predictions, paths, strict=True)]
    script = _source(environment, "player.js") + _source(environment, "page.js")
    text = environment.get_template("page.html.j2").render(
        videos=videos,
        model=dict(model),
        style=Markup(_source(environment, "page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        ramps={".ramp": _stops(RAMP), ".ramp.shade": _stops(SHADE)},
        wheel=WHEEL.astype(int).tolist(),
        data=embedded_json(data),
        num_streams=max(len(view.streams) for view in videos),
        ramp_data=embedded_json(RAMPS),
    )
    # A file name may hold bytes that are no UTF-8; Python keeps them as lone surrogates, which a page cannot.
    return text.encode("utf-8", "replace").decode("utf-8")


def percent(value: float) -> str:
    """A percentage with one decimal; what would be rounded to nothing says so."""
    return "<0.1" if 0 < value < 0.05 else f"{value:.1f}"


def embedded_json(value: object) -> Markup:
    """JSON that can stand in a ``<script>`` element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _stops(ramp: np.ndarray) -> list[tuple[float, list[int]]]:
    """Nine of the ramp's colours with their places in percent."""
    return [(100 * n / 8, ramp[round(n / 8 * (len(ramp) - 1))].tolist()) for n in range(9)]
