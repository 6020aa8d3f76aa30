"""A model's card: the page that the Hugging Face hub shows of it, and the metadata that the hub indexes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import yaml

from attcell._files import OTHER_VALUES, read_json
from attcell._terminal import escaped
from attcell.config.recipe import Recipe
from attcell.errors import DataError
from attcell.metrics.statistics import accuracy_interval
from attcell.results.scores import read_scores

STAN = "[STAN](https://ieeexplore.ieee.org/document/8424031)"
TAN = "[TAN](https://doi.org/10.1109/ICME.2018.8486452)"
FEW_VIDEOS = 200  # of a test; with fewer the card says what that means
_MOST_LABELS = 30  # that are shown unfolded
_METRIC_TYPES = {"map": "mean_average_precision"}  # figure → the hub's name; all others are accuracies


@dataclass(frozen=True)
class ModelFigures:
    """What a test of the model came to.

    Attributes:
        dataset: the name of what it was tested on.
        figures: name → percent.
        protocol: how the scores were made, in words, by name.
        num_videos: that could be read.
        interval: of the first figure, in percent, 95 %; None where that cannot be said.
    """

    dataset: str
    figures: Mapping[str, float]
    protocol: Mapping[str, Any] = field(default_factory=dict)
    num_videos: int = 0
    interval: tuple[float, float] | None = None


def read_test(path: Path) -> ModelFigures:
    """What ``attcell test`` wrote into scores.json.

    Raises:
        CallError: no such file.
        DataError: it is something else.
    """
    found = read_scores(path)
    read = ~np.isnan(found.scores).any(axis=1)
    interval = None
    if found.has_one_class_each and read.any():
        low, high = accuracy_interval(found.scores[read].argmax(axis=1) == found.true_classes()[read])
        interval = (100 * low, 100 * high)
    try:
        facts = read_json(path)
        figures = {str(name): float(value) for name, value in facts["figures"].items()}
        protocol = dict(facts["protocol"])
        dataset = str(facts["run"]["dataset"] or "its test videos")
    except OTHER_VALUES as error:
        raise DataError(
            f"{path} holds no figures of a test ({error}); give the scores.json of attcell test"
        ) from error
    return ModelFigures(PurePath(dataset).name, figures, protocol, int(read.sum()), interval)


def model_card(
    name: str,
    labels: tuple[str, ...],
    recipe: Recipe,
    *,
    tested: ModelFigures | None = None,
    licence: str | None = None,
    picture: str | None = None,
) -> str:
    """The text of README.md: metadata in YAML, then Markdown.

    Names that come from outside are shown as they are and are never Markdown or HTML.

    Args:
        name: the id at the hub.
        labels: the classes.
        recipe: without the places of this machine.
        tested: its figures; None where it was not tested.
        licence: as the hub names it, such as ``mit``; None says nothing of it.
        picture: the file of a confusion matrix beside the card.
    """
    metadata = {
        "library_name": "attcell",
        "pipeline_tag": "video-classification",
        "tags": ["video-classification", "action-recognition", "attention", recipe.model.kind],
        **({} if licence is None else {"license": licence}),
        **({} if tested is None else {"model-index": [_indexed(name, tested)]}),
    }
    front = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)
    parts = [
        f"# {plain(name)}",
        f"A network of kind {recipe.model.kind}, of {' and '.join(recipe.model.streams)}, for {len(labels)} "
        "classes. It says which action a video shows, and *where* and *when* the evidence is.",
        _use(name),
        _figures(tested, picture),
        _classes(labels),
        _made(recipe),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """A name as Markdown that shows it as it is."""
    one_line = html.escape(" ".join(escaped(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#!|~$@]|^[-+.:]|(?<=\w):(?=//))", r"\\\1", one_line)


def _indexed(name: str, tested: ModelFigures) -> dict[str, Any]:
    slug = re.sub(r"[^a-z0-9]+", "-", tested.dataset.lower()).strip("-") or "videos"
    return {
        "name": name.rpartition("/")[2],
        "results": [
            {
                "task": {"type": "video-classification"},
                "dataset": {"type": slug, "name": escaped(tested.dataset)},
                "metrics": [
                    {"type": _METRIC_TYPES.get(figure, "accuracy"), "name": figure, "value": round(value, 2)}
                    for figure, value in tested.figures.items()
                ],
            }
        ],
    }


def _use(name: str) -> str:
    return (
        "## How to use it\n\n```python\nimport attcell\n\n"
        f"model = attcell.load({name!r})\n"
        'prediction = model.predict("clip.mp4")\n'
        "prediction.top(5)                # classes with their probabilities\n"
        "prediction.temporal_attention    # when\n"
        "prediction.spatial_attention     # where, for each stream\n```\n\n"
        f"```bash\nattcell predict clip.mp4 --model {name} --report clip.html\n```"
    )


def _figures(tested: ModelFigures | None, picture: str | None) -> str:
    if tested is None:
        return "## Figures\n\nNone are stated: what it reaches on other videos is not known."
    lines = ["## Figures", "", f"On {plain(tested.dataset)}, {tested.num_videos} videos:", ""]
    lines += ["| figure | % |", "|---|---|"]
    for place, (figure, value) in enumerate(tested.figures.items()):
        interval = ""
        if not place and tested.interval is not None:
            interval = f" (95 % interval {tested.interval[0]:.1f} to {tested.interval[1]:.1f})"
        lines.append(f"| {plain(figure.replace('_', ' '))} | {value:.2f}{interval} |")
    if tested.num_videos < FEW_VIDEOS:
        lines += ["", "So few videos say little of others."]
    said = "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in tested.protocol.items())
    lines += ["", f"Protocol: {plain(said)}."] if said else []
    lines += ["", f"![Confusion matrix]({picture})"] if picture else []
    return "\n".join(lines)


def _classes(labels: tuple[str, ...]) -> str:
    named = ", ".join(map(plain, labels))
    if len(labels) <= _MOST_LABELS:
        return f"## Classes\n\n{named}"
    return f"## Classes\n\n<details><summary>{len(labels)} classes</summary>\n\n{named}\n\n</details>"


def _made(recipe: Recipe) -> str:
    paper = TAN if recipe.model.kind == "tan" else STAN
    text = yaml.safe_dump(recipe.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return (
        f"## How it was made\n\nBy attcell, after {paper}, with this recipe. What the papers leave open is a "
        "reading, and its option is in the recipe.\n\n<details><summary>Recipe</summary>\n\n"
        f"{fence}yaml\n{text}{fence}\n\n</details>"
    )
