"""What each command of a recipe does, in numbers: how many videos or iterations, and what one takes."""

from __future__ import annotations

from typing import NamedTuple

from attcell.config.recipe import Recipe
from attcell.forecast.arithmetic import Phase, Term, iteration_pace, with_reading
from attcell.forecast.measure import Measured, TrainingPace
from attcell.forecast.pace import Pace
from attcell.forecast.starts import Starts
from attcell.forecast.videos import ListedVideos
from attcell.models.build import kept_plan
from attcell.training.schedule import num_iterations, num_validations


class Disk(NamedTuple):
    """What keeps the features.

    Attributes:
        memory: bytes that the system can hold of them, so that they are read from the disk once.
        rate: bytes a second that the disk gives.
    """

    memory: float
    rate: float


_NO_STARTS = Starts()


def phases_of(
    recipe: Recipe, videos: ListedVideos, measured: Measured, disk: Disk, starts: Starts = _NO_STARTS
) -> tuple[Phase, ...]:
    """What each command takes on this machine, those that the recipe has no use for left out."""
    phases, kept_bytes, start = [], 0.0, _start(starts.walking)
    if measured.flow is not None:
        mean = measured.sample.mean_frames
        term = Term(videos.num, "videos", measured.flow.pace.times(mean), measured.flow.bytes * mean)
        phases.append(Phase("extract flow", (*start, term)))
    if measured.features is not None:
        phases.append(_features(videos, measured, start))
        kept_bytes = phases[-1].bytes
    if measured.training is not None:
        phases.append(_training(recipe, videos, measured, disk, kept_bytes, _start(starts.training)))
    if recipe.model.classifier == "svm":
        phases.append(Phase("fit the SVM", (), (_SVM,)))
    if measured.test is not None:
        phases.append(Phase("test", (*start, Term(len(videos.test), "test videos", measured.test))))
    return tuple(phases)


_SVM = (
    "not forecast: the choice of C grows faster than the number of videos; one of UCF101's size is in "
    "benchmarks/results/svm_fit.md"
)


def _start(seconds: float) -> tuple[Term, ...]:
    return (Term(1, "start", Pace(seconds, 0.0, 1), divides=False),) if seconds else ()


def _features(videos: ListedVideos, measured: Measured, start: tuple[Term, ...]) -> Phase:
    terms = [*start]
    for records, unit, of in (
        (videos.train, "training videos", measured.features),
        (videos.val, "validation videos", measured.kept_val),
    ):
        if of is not None and records:
            terms.append(Term(len(records), unit, of.pace, of.bytes))
    return Phase("features", tuple(terms))


def _training(
    recipe: Recipe,
    videos: ListedVideos,
    measured: Measured,
    disk: Disk,
    kept_bytes: float,
    start: tuple[Term, ...],
) -> Phase:
    section, training = recipe.train, measured.training
    assert training is not None, "asked before"
    iterations = num_iterations(section, len(videos.train))
    periods = num_validations(iterations, section.checkpoint_every)
    pace = iteration_pace(training.part, training.part_size, section.batch_size, section.devices)
    notes = _notes(recipe, training)
    if measured.features is not None:
        # Of each segment one of the kept views is read.
        num_views = kept_plan(recipe, videos.labels).num_views
        read = section.batch_size / section.devices * measured.features.bytes / num_views
        pace = with_reading(pace, read, kept_bytes, disk.memory, disk.rate)
        if kept_bytes > disk.memory:
            notes.append(f"features do not fit into memory: {read / 1e6:,.0f} MB an iteration from the disk")
    terms = [*start, Term(iterations, f"iterations of {section.batch_size} videos", pace)]
    if measured.validation is not None:
        times = periods + (recipe.model.fusion == "late")  # whose streams are weighed at the end
        terms.append(Term(times * len(videos.val), f"videos validated, {times} times", measured.validation))
    terms.append(Term(periods, "checkpoints", Pace(training.period, 0.0, 1), divides=False))
    return Phase("train", tuple(terms), tuple(notes))


def _notes(recipe: Recipe, training: TrainingPace) -> list[str]:
    section = recipe.train
    part = section.batch_size // section.parts
    notes = []
    if training.part_size < part:
        notes.append(
            f"measured with {training.part_size} of a part's {part} videos at a time, and multiplied"
        )
    if section.early_stopping is not None:
        notes.append("early_stopping may end it before")
    return notes
