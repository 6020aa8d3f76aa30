"""The training's section of a recipe: its schedule, what is done to the videos, and how classes count."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from attcell._checks import first_double
from attcell.choices import (
    Accelerator,
    ClassWeights,
    CountedSteps,
    LoggerName,
    Loss,
    Optimizer,
    Precision,
    Schedule,
    Strategy,
)
from attcell.config.section import Count, Fraction, Positive, Section, Word

Alpha = Annotated[float, Field(ge=0)]


# Keys that change nothing where an SVM alone is fitted.
ONLY_OF_ITERATIONS = (
    "randaugment",
    "colour_jitter",
    "mixup",
    "cutmix",
    "class_weights",
    "balanced_sampling",
    "early_stopping",
    "pictures",
)


class PicturesSection(Section):
    """Pictures of the attention on validation videos, as the training goes."""

    every: Count = 1  # so many validations
    videos: Annotated[int, Field(ge=1, le=100, strict=True)] = 4


class TrainSection(Section):
    """The schedule. The defaults are the paper's."""

    optimizer: Optimizer = "sgd"
    learning_rate: Positive = 1e-3
    momentum: Fraction = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Schedule = "step"
    step_iterations: Count = 4000  # "step" divides the rate by 10 every so many iterations
    iterations: Count | None = None
    epochs: Count | None = None
    batch_size: Count = 128
    accumulate: Count = 1  # the batch is computed in this many parts
    loss: Loss = "softmax"  # reading: of videos of several classes, see docs
    label_smoothing: Fraction = 0.0
    steps: CountedSteps = "all"  # reading: of branches, the steps whose loss counts
    gate_penalty: Annotated[float, Field(ge=0)] = 0.0  # reading: of branch selection, BS + L2
    clip_gradient_norm: Positive | None = None
    precision: Annotated[Precision, Word] = "32"
    accelerator: Accelerator = "auto"
    devices: Count = 1  # of each machine
    num_nodes: Count = 1  # machines
    strategy: Strategy = "ddp"  # of several processes: each has the whole network, or a shard of it
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    flip: bool | None = None  # mirror images; by default unless a class's name holds a direction
    flip_pairs: dict[str, str] = Field(default={})  # a class → the class that its mirror image shows
    randaugment: Annotated[int, Field(ge=1, le=30, strict=True)] | None = None  # its magnitude
    colour_jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    mixup: Alpha = 0.0  # of the Beta distribution that a share is drawn from
    cutmix: Alpha = 0.0  # the same
    class_weights: ClassWeights | None = None
    balanced_sampling: bool = False  # every class equally often
    early_stopping: Count | None = None  # so many validations without a better network
    checkpoint_every: Count = 500  # iterations; each checkpoint follows a validation
    loggers: tuple[LoggerName, ...] = ("csv", "tensorboard")
    pictures: PicturesSection | None = None

    @model_validator(mode="after")
    def _consistent(self) -> TrainSection:
        if self.iterations is not None and self.epochs is not None:
            raise ValueError("give either iterations (the paper's 15000) or epochs, not both")
        if self.batch_size % self.parts:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be split into {self._parts_in_words} equal parts"
            )
        if self.strategy == "fsdp" and self.processes == 1:
            raise ValueError(
                "strategy fsdp shards the network over processes, and devices 1 × num_nodes 1 is one "
                "process; raise one of them, or take ddp"
            )
        return self

    @model_validator(mode="after")
    def _pairs_of_classes(self) -> TrainSection:
        """A class has one mirror image, and pairs are of no use where nothing is mirrored."""
        if self.flip_pairs and self.flip is False:
            raise ValueError("flip_pairs says what mirror images show, and flip false makes none; drop one")
        shown: dict[str, str] = {}
        for pair in self.flip_pairs.items():
            for one, other in (pair, pair[::-1]):
                if shown.setdefault(one, other) != other:
                    raise ValueError(
                        f"flip_pairs says that the mirror image of {one!r} shows {shown[one]!r}, and that it "
                        f"shows {other!r}; keep one"
                    )
        return self

    @model_validator(mode="after")
    def _each_logger_once(self) -> TrainSection:
        if (double := first_double(self.loggers)) is not None:
            raise ValueError(f"loggers names {double} twice; name it once")
        return self

    @model_validator(mode="after")
    def _mixed_in_pairs(self) -> TrainSection:
        part = self.batch_size // self.parts
        if (self.mixup or self.cutmix) and part % 2:
            raise ValueError(
                f"{'mixup' if self.mixup else 'cutmix'} mixes a batch's videos two by two, and batch_size "
                f"{self.batch_size} in {self._parts_in_words} parts has "
                f"{part} a part; make it an even number"
            )
        return self

    @model_validator(mode="after")
    def _balanced_once(self) -> TrainSection:
        if self.class_weights is not None and self.balanced_sampling:
            raise ValueError("class_weights and balanced_sampling both balance the classes; keep one")
        return self

    @property
    def processes(self) -> int:
        """How many train together, on all machines: one for each device."""
        return self.devices * self.num_nodes

    @property
    def parts(self) -> int:
        """In how many parts a batch is computed, one after the other and side by side."""
        return self.accumulate * self.processes

    @property
    def _parts_in_words(self) -> str:
        nodes = f" × num_nodes {self.num_nodes}" if self.num_nodes > 1 else ""
        return f"accumulate {self.accumulate} × devices {self.devices}{nodes}"

    @property
    def changes_colours(self) -> str | None:
        """The first key that is set of those that change a training view's pictures; None without."""
        return (
            "randaugment" if self.randaugment is not None else "colour_jitter" if self.colour_jitter else None
        )

    @property
    def only_of_iterations(self) -> tuple[str, ...]:
        """The keys that are set and change nothing where an SVM alone is fitted."""
        return tuple(key for key in ONLY_OF_ITERATIONS if getattr(self, key))
