"""A model that watches a stream: each action is told as soon as it is decided."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from attcell._log import logger
from attcell.errors import CallError, ModelError, VideoError
from attcell.inference.detection_rules import RuleChoice, refuse_choice
from attcell.inference.live.stretch import Stretch
from attcell.inference.live.window import SETTLING_SECONDS, Decider, Window
from attcell.inference.model import Model
from attcell.inference.streaming import EVERY
from attcell.models.build import input_spec
from attcell.nn.streaming import streamer
from attcell.types import Detection, Prediction
from attcell.video.input_spec import InputSpec
from attcell.video.live.address import Address
from attcell.video.live.source import Dropped, Ended, LiveSource, Reconnected
from attcell.video.transforms import kept_size

LEAST_WINDOW_SECONDS = 5.0


@dataclass(frozen=True)
class Watching:
    """How a stream is watched.

    Attributes:
        choice: the rule.
        every: frames from one sample to the next; by default the calibration's, else 5.
        window_seconds: what the rule sees at a time.
        most_seconds: how long it is watched; without end if None.
        reconnects: attempts in a row to connect again.
        first_wait: seconds before the first of these; the waits double.
        pictures: keep what a page shows of the last window.
    """

    choice: RuleChoice
    every: int | None = None
    window_seconds: float = 60.0
    most_seconds: float | None = None
    reconnects: int = 5
    first_wait: float = 1.0
    pictures: bool = False

    def __post_init__(self) -> None:
        if not self.window_seconds >= LEAST_WINDOW_SECONDS:
            raise CallError(
                f"--window is {self.window_seconds:g}; give {LEAST_WINDOW_SECONDS:g} seconds or more"
            )
        if self.most_seconds is not None and not self.most_seconds > 0:
            raise CallError(f"--for is {self.most_seconds:g}; give a number of seconds above 0")
        if self.reconnects < 0:
            raise CallError(f"--reconnects is {self.reconnects}; give 0 or more")


@dataclass(frozen=True)
class Told:
    """An action that is over.

    Attributes:
        detection: with times in the stream, whose first frame is at 0.
        latency_seconds: from the arrival of the first frame after the action until now.
    """

    detection: Detection
    latency_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """In plain types."""
        of = self.detection
        return {
            "label": of.label,
            "start_seconds": round(of.start_seconds, 3),
            "end_seconds": round(of.end_seconds, 3),
            "score": of.score,
            "latency_seconds": round(self.latency_seconds, 3),
        }


class Watch:
    """Iterate it once for the actions of a stream, in order of their ends; then it tells what came of it.

    Args:
        model: a trained one; its network decides the device.
        address: of the stream.
        how: it is watched.

    Raises:
        CallError: a model that looks at more than pictures, or does not score single segments, or a rule
            that it cannot follow.
        ModelError: its calibration is broken.
    """

    def __init__(self, model: Model, address: Address, how: Watching) -> None:
        if model.calibration_fault:
            raise ModelError(model.calibration_fault)
        refuse_choice(how.choice, model.calibration)
        self._spec = _spec_of(model)
        streamer(model.network)  # refuses what it cannot run
        self._model, self._address, self._how = model, address, how
        usual = EVERY if model.calibration is None else model.calibration.every
        self.every = usual if how.every is None else how.every
        self.source = LiveSource(
            address,
            lambda shown: kept_size(shown, self._spec.frame),
            reconnects=how.reconnects,
            first_wait=how.first_wait,
            most_seconds=how.most_seconds,
        )
        self._window, self._decider = self._new_window(), Decider()
        self._last: Prediction | None = None
        self._num_dropped = 0
        self.num_samples = self.num_told = 0
        self.watched_seconds = 0.0  # of the stream, with its gaps
        self.fault: VideoError | None = None

    def __iter__(self) -> Iterator[Told]:
        with self.source as source:
            came = iter(source)
            while True:
                stretch = Stretch(
                    came, self._spec, self.every, self._model.device.type, pictures=self._how.pictures
                )
                yield from self._through(stretch)
                self.watched_seconds = max(self.watched_seconds, stretch.latest)
                if isinstance(stretch.ended_by, Dropped):
                    self._tell_dropped(stretch.ended_by, stretch.latest)
                elif isinstance(stretch.ended_by, Reconnected):
                    yield from self._over()
                elif isinstance(stretch.ended_by, Ended):
                    yield from self._over()
                    self.fault = stretch.ended_by.fault
                    return

    def end(self) -> None:
        """The stream is read no more; the iteration ends with what has come. A handler of signals may call
        it.
        """
        self.source.is_wanted = False

    @property
    def num_dropped_segments(self) -> int:
        """Segments that were not looked at, since frames came faster than the network takes them: those that
        have been told.
        """
        return self._num_dropped

    def last_window(self) -> Prediction | None:
        """What the model says of the last window; None where no frame came."""
        if len(self._window):
            self._last = self._window.found(str(self._address))
        return self._last

    def summary(self) -> dict[str, Any]:
        """What came of it, in plain types."""
        return {
            "watched_seconds": round(self.watched_seconds, 3),
            "frames": self.source.num_frames,
            "segments": self.num_samples,
            "dropped_segments": self.num_dropped_segments,
            "damaged_packets": self.source.num_damaged,
            "reconnects": self.source.num_reconnects,
            "gap_seconds": round(self.source.gap_seconds, 3),
        }

    def _new_window(self) -> Window:
        return Window(self._model, self._spec, self._how.choice, self._how.window_seconds)

    def _through(self, stretch: Stretch) -> Iterator[Told]:
        settling = min(SETTLING_SECONDS, self._how.window_seconds / 2)
        for samples in stretch:
            self._window.add(samples)
            self.num_samples += len(samples.seconds)
            self.watched_seconds = max(self.watched_seconds, stretch.latest)
            if self._window.end - self._window.start >= settling:
                yield from self._decided(self._window.found(str(self._address)))

    def _over(self) -> Iterator[Told]:
        """The actions that end with this part of the stream; what comes next is another one."""
        if len(self._window):
            self._last = self._window.found(str(self._address), self.watched_seconds + 1 / self.source.rate)
            yield from self._decided(self._last, is_over=True)
        self._window, self._decider = self._new_window(), Decider()

    def _decided(self, found: Prediction, *, is_over: bool = False) -> Iterator[Told]:
        for detection in self._decider.decided(self._window, found, is_over=is_over):
            self.num_told += 1
            yield Told(detection, time.monotonic() - self._window.arrived(detection.end_seconds))

    def _tell_dropped(self, dropped: Dropped, seconds: float) -> None:
        number = -(-dropped.num_frames // self.every)
        self._num_dropped += number
        logger.info(
            f"{self._address}: {number} segments after {seconds:.1f} s were "
            f"dropped, since frames come faster than the network takes them; {self.num_dropped_segments} in "
            "all. Look at fewer (--every), or take a smaller network or a GPU"
        )


def _spec_of(model: Model) -> InputSpec:
    """What the model's streams get of a stream of pictures; a CallError for those that need more."""
    spec = input_spec(model.recipe).computing_flow()
    if spec.hearing or not spec.sees_pictures or spec.needs_store:
        raise CallError(
            f"--live shows pictures alone, and this model's streams are {', '.join(spec.streams)}; take a "
            "model of the streams frame, flow and clip"
        )
    return spec
