"""A rolling window over a stream: the rules of detection see the last seconds of it as they see a video."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attcell.inference.detect import TrackRows
from attcell.inference.detection_rules import RuleChoice, find
from attcell.inference.live.stretch import LiveSamples
from attcell.inference.model import Model
from attcell.inference.predict import NO_PICTURES
from attcell.inference.run import as_scores, encode_part, refuse_not_finite
from attcell.inference.streaming import Keyframes, stretches
from attcell.nn.streaming import streamer
from attcell.nn.whole_video import as_rows
from attcell.types import Detection, Prediction
from attcell.video.input_spec import InputSpec

SETTLING_SECONDS = 10.0  # of a window, before anything in it is decided: relative attention needs some


@dataclass(frozen=True, eq=False)
class _Held:
    """Some samples that follow each other, and what the network makes of each by itself."""

    samples: LiveSamples
    encoded: Any


class Window:
    """The last seconds of a stream, and what a rule finds in them.

    Whenever samples come, the network's temporal attention runs over all of the window, and the rule finds
    actions as in a video of this length. Memory is that of a window.

    Args:
        model: in test mode.
        spec: what each stream gets.
        choice: the rule.
        seconds: its length.
    """

    def __init__(self, model: Model, spec: InputSpec, choice: RuleChoice, seconds: float) -> None:
        self._model, self._spec, self._choice, self._seconds = model, spec, choice, seconds
        self._held: deque[_Held] = deque()

    def add(self, samples: LiveSamples) -> None:
        """The samples that come next; the oldest ones go.

        Raises:
            ModelError: the network's scores are not finite numbers.
        """
        ((encoded,),) = encode_part(
            self._model.network, {name: of[None] for name, of in samples.views.items()}
        )
        self._held.append(_Held(replace(samples, views={}), encoded))
        while len(self._held) > 1 and self.end - float(self._held[1].samples.seconds[0]) >= self._seconds:
            self._held.popleft()

    @property
    def start(self) -> float:
        """Seconds of its first sample."""
        return float(self._held[0].samples.seconds[0])

    @property
    def end(self) -> float:
        """Seconds of its last sample."""
        return float(self._held[-1].samples.seconds[-1])

    def __len__(self) -> int:
        return sum(len(held.samples.seconds) for held in self._held)

    @property
    def interval(self) -> float:
        """Seconds from one sample to the next."""
        seconds = np.concatenate([held.samples.seconds for held in self._held])
        return float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0

    def arrived(self, seconds: float) -> float:
        """When the frame of the sample at this time, or of the next one, was decoded."""
        times = np.concatenate([held.samples.seconds for held in self._held])
        arrived = np.concatenate([held.samples.arrived for held in self._held])
        return float(arrived[min(int(np.searchsorted(times, seconds - 1e-6)), len(arrived) - 1)])

    def found(self, name: str, ends: float | None = None) -> Prediction:
        """What the model says of the window, with the actions in it.

        Args:
            name: of the stream.
            ends: seconds where its last sample ends; by default after the usual interval.
        """
        times = np.concatenate([held.samples.seconds for held in self._held])
        last = self.end + self.interval if ends is None else max(ends, self.end)
        seconds = np.stack([times, np.append(times[1:], last)], axis=1)
        runner, rows, keyframes = streamer(self._model.network), TrackRows(self._model), Keyframes()
        first = 0
        for held in self._held:
            part = runner.step_encoded(held.encoded)
            refuse_not_finite(part.logits)
            rows.add(replace(part, spatial_attention=self._spec.with_pictures(part.spatial_attention)))
            for row in range(len(held.samples.seconds)):
                pictures, flow = held.samples.pictures, held.samples.flow
                keyframes.add(
                    first + row,
                    float(part.strength[row]),
                    pictures[row] if pictures else None,
                    None if flow is None else flow[row],
                )
            first += len(held.samples.seconds)
        whole = runner.whole()
        refuse_not_finite(whole.logits)
        area = self._spec.attended_area(self._held[-1].samples.size)
        track = rows.track(whole, seconds, area)
        images = [of.picture for of in keyframes.all if of.picture is not None]
        flows = [of.flow for of in keyframes.all if of.flow is not None]
        prediction = Prediction(
            video=name,
            labels=self._model.labels,
            scores=as_rows(as_scores(whole.logits, self._model.recipe.score_rule)),
            duration_seconds=float(seconds[-1, 1] - seconds[0, 0]),
            segments=stretches(track, keyframes),
            frames=np.stack(images) if images else NO_PICTURES,
            flow=np.stack(flows) if flows else None,
            track=track,
        )
        return replace(prediction, detections=tuple(find(prediction, self._choice, self._model.calibration)))


class Decider:
    """Which of the actions that a window holds are over and were not told yet.

    An action is over when a sample after it belongs to it no more. One that is longer than the window begins
    where it was first seen.
    """

    def __init__(self) -> None:
        self._told: dict[str, float] = {}  # class → until when actions of it have been told
        self._open: dict[str, float] = {}  # class → since when one goes on

    def decided(self, window: Window, found: Prediction, *, is_over: bool = False) -> list[Detection]:
        """The new ones, in order of their ends.

        Args:
            window: as it is.
            found: what a rule finds in it.
            is_over: nothing comes after it.
        """
        least, decided = 2 * window.interval, []
        open_now: dict[str, float] = {}
        for of in sorted(found.detections or (), key=lambda one: one.end_seconds):
            start = of.start_seconds
            if start <= window.start + window.interval:  # it may have begun before the window
                start = min(start, self._open.get(of.label, start))
            if not is_over and of.end_seconds >= window.end:
                open_now[of.label] = start
                continue
            told = self._told.get(of.label, -np.inf)
            if start < told:
                start = told
                if of.end_seconds - start < least:
                    continue
            self._told[of.label] = of.end_seconds
            decided.append(replace(of, start_seconds=start))
        self._open = open_now
        return decided
