"""The sections of a recipe that train nothing: published values, and what is asked beside the test.

``attcell protocol`` answers what is asked of a trained network: actions found in time, and late fusion with
another tool's scores (TAN+).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from attcell.choices import DetectionProtocol, DetectionRule
from attcell.config.section import Count, Section

Overlap = Annotated[float, Field(gt=0, le=1, strict=True)]
Weight = Annotated[float, Field(ge=0)]
SPLIT = "{split}"  # in a path: the run's split


class PublishedSection(Section):
    """A figure of a paper, to be printed beside ours."""

    figure: str  # as attcell test calls it, such as top1 or map
    value: float | None  # in percent; null where no copy of the paper that is at hand has the number
    source: str  # the paper and its table
    row: str  # what the table calls it
    note: str = ""  # what the number alone does not say, such as how it was derived


class DetectionSection(Section):
    """The actions in the test videos: how they are found, and how they are judged."""

    rule: DetectionRule = "relative"
    every: Count = 5  # frames from one sample to the next
    protocol: DetectionProtocol = "thumos"
    thresholds: Annotated[tuple[Overlap, ...], Field(min_length=1)] = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the IoU
    exclude: tuple[str, ...] = ()  # test videos that are left out, as faulty ones
    annotated: bool = False  # judge those with a true action alone, too: map_annotated@0.1 and so on
    truth: Path | None = None  # as of attcell score detection; by default the data set's own

    @property
    def needs_calibration(self) -> bool:
        """False for the rule whose thresholds are fixed and whose classifier is the network's own."""
        return self.rule != "stpn"


class FuseSection(Section):
    """Late fusion of the test's scores with those of another tool."""

    scores: Path  # any file that attcell score fuse reads, of the tested videos; {split} becomes the run's
    weights: tuple[Weight, Weight] | None = None  # the network's and the file's; by default alike
    tune: Path | None = None  # the tool's scores of the validation videos: choose the weights on them
    softmax: bool = False  # bring scores that are no probabilities to such

    @model_validator(mode="after")
    def _one_way_to_weights(self) -> FuseSection:
        if self.weights is not None and self.tune is not None:
            raise ValueError("weights and tune exclude each other; keep one")
        if self.weights is not None and sum(self.weights) == 0:
            raise ValueError("weights are both 0; give what the network and the file count, as [0.6, 0.4]")
        return self

    def of_split(self, split: int) -> FuseSection:
        """The same with the split's number in its paths."""
        paths = {"scores": self.scores, "tune": self.tune}
        put_in = {
            key: Path(str(path).replace(SPLIT, str(split))) for key, path in paths.items() if path is not None
        }
        return self.model_copy(update=put_in)
