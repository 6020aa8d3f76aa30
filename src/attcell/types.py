"""The records that travel between the stages: what a video is, and what was found in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attcell._checks import whole_number

if TYPE_CHECKING:  # NumPy is slow to import, and --help is to answer at once
    import numpy as np


class Size(NamedTuple):
    """Width and height of a picture, in pixels. The shape of an array or a tensor has them the other way."""

    width: int
    height: int

    @classmethod
    def of_image(cls, image: np.ndarray) -> Size:
        """The size of a picture (H, W, ...)."""
        height, width = image.shape[:2]
        return cls(width, height)

    @property
    def turned(self) -> Size:
        """The size after a quarter turn."""
        return Size(self.height, self.width)


@dataclass(frozen=True)
class VideoRecord:
    """One video of a data set.

    Attributes:
        id: the video's name inside its data set, with forward slashes (``wave/alice.mp4``); unique there. A
            part of a folder of frames adds its first frame and their number (``wave/alice 12 163``).
        path: where the file lies, or the folder of frames.
        labels: its classes, counted from 0, in rising order; none for a video of none of the classes.
        group: videos of one group show the same people or scene, so that one of them tells of the others; ""
            where nothing is known. Held-out videos are drawn by whole groups.
        frames: the part of a folder of frames that is the video, counted from 0; all of it if None.
    """

    id: str
    path: Path
    labels: tuple[int, ...]
    group: str = ""
    frames: range | None = None

    @property
    def label(self) -> int:
        """The class of a video that has just one."""
        (label,) = self.labels
        return label

    def part(self, frames: range) -> VideoRecord:
        """The record of a part of this folder of frames."""
        return replace(self, id=f"{self.id} {frames.start} {len(frames)}", frames=frames)

    def whole(self) -> VideoRecord:
        """The record of the whole folder of frames, or of the file."""
        if self.frames is None:
            return self
        name = self.id.removesuffix(f" {self.frames.start} {len(self.frames)}")
        return replace(self, id=name, frames=None)


@dataclass(frozen=True)
class ActionInstance:
    """A true action in time: class ``label`` during [start_seconds, end_seconds) of a video."""

    video_id: str
    label: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Detection:
    """A found action in time: class ``label`` during [start_seconds, end_seconds), surer with a higher score.

    ``video_id`` names the video where detections of several are held together; else it is empty.
    """

    label: str
    start_seconds: float
    end_seconds: float
    score: float
    video_id: str = ""


@dataclass(frozen=True)
class Hearing:
    """What the maps of a stream of sound cover: of each segment a window, time × frequency.

    Of a map (R, K) the rows are time, evenly over the window, and the columns frequency, low first, evenly on
    the mel scale.

    Attributes:
        window_seconds: its length; its middle is the presentation time of the frame that stands for the
            segment.
        hertz: the lowest and the highest frequency.
    """

    window_seconds: float
    hertz: tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class SoundTrack:
    """The sound of a video, as small as it is drawn, whatever its length.

    Attributes:
        seconds: start and end, in the video's own presentation time: those of the video.
        peaks: (n, 2) least and largest sample, from -1 to 1, of n even parts; 0 where nothing was recorded.
        loudness: (n, M) log-mel values of these parts, low frequencies first, of the same range as the
            streams hear; None where no stream hears it.
        windows: stream name -> (T, F, M) the log-mel pictures that it heard of the segments, F steps of time.
    """

    seconds: tuple[float, float]
    peaks: np.ndarray
    loudness: np.ndarray | None = None
    windows: dict[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        start, end = self.seconds
        heard = f"; heard by {', '.join(self.windows)}" if self.windows else ""
        return f"SoundTrack({start:.2f} to {end:.2f} s, {len(self.peaks)} parts{heard})"


@dataclass(frozen=True, eq=False, repr=False)
class AttentionTrack:
    """What a network says of a video segment by segment: the T of a prediction, or a sample every few frames.

    Attributes:
        seconds: (T, 2) start and end of each segment, in the video's own presentation time; they touch.
        frame_seconds: (T,) presentation time of the frame that stands for each segment.
        temporal_scores: (T,) raw scores k of Eq. 7, before the softmax; all alike in a network without
            temporal attention.
        temporal_attention: (T,) β of Eq. 7; sums to 1.
        spatial_attention: stream name -> (T, K, K) α of Eq. 4, or (T, R, K) of a stream of sound; each map
            sums to 1.
        attended_area: left, top, right, bottom of the part of the frame that the network sees, as fractions
            of the frame's width and height; the attention maps of streams that look at pictures cover just
            this area.
        class_scores: (T, A) the network's own classifier on each segment's f_att^t of Eq. 6, as
            probabilities; None where nobody asked for them.
        separate_scores: (T, A) those of the separate segment classifier; None where the model has none.
        class_evidence: (T, A) what each segment would add to each class's score if it were the only one;
            above the mean of the classes, where they share a softmax. None where nobody asked for it, and of
            networks whose scores are no such sum.
        hearing: stream name -> what its maps cover, for the streams that hear sound and see no pictures.
        temporal_scores_by_class: (T, A) k of each class, of a network that has one a class; else None.
    """

    seconds: np.ndarray
    frame_seconds: np.ndarray
    temporal_scores: np.ndarray
    temporal_attention: np.ndarray
    spatial_attention: dict[str, np.ndarray]
    attended_area: tuple[float, float, float, float]
    class_scores: np.ndarray | None = None
    separate_scores: np.ndarray | None = None
    class_evidence: np.ndarray | None = None
    hearing: dict[str, Hearing] = field(default_factory=dict)
    temporal_scores_by_class: np.ndarray | None = None

    def scores_of(self, label: int) -> np.ndarray:
        """(T,) the temporal scores that a class's detections go by."""
        by_class = self.temporal_scores_by_class
        return self.temporal_scores if by_class is None else by_class[:, label]

    def __len__(self) -> int:
        """T."""
        return len(self.seconds)

    @property
    def over_frames(self) -> dict[str, np.ndarray]:
        """Stream name -> (T, K, K), the spatial attention of the streams that look at pictures."""
        return {name: maps for name, maps in self.spatial_attention.items() if name not in self.hearing}

    @property
    def over_sound(self) -> dict[str, np.ndarray]:
        """Stream name -> (T, R, K), time × frequency, the attention of the streams that hear sound."""
        return {name: maps for name, maps in self.spatial_attention.items() if name in self.hearing}

    def __repr__(self) -> str:
        span = f"{self.seconds[0, 0]:.2f} to {self.seconds[-1, 1]:.2f} s" if len(self) else "empty"
        maps = f"; spatial attention of {', '.join(self.spatial_attention)}" if self.spatial_attention else ""
        return f"AttentionTrack({len(self)} segments, {span}{maps})"


@dataclass(frozen=True)
class ClassShares:
    """What adds up to one class's score in a video, before the softmax.

    Attributes:
        regions: stream name -> (T, K, K), or (T, R, K) of sound: what each region of each segment adds;
            negative where it speaks against the class. Empty of networks that pool the regions first.
        segments: stream name -> (T,) what each segment adds, of all its regions together.
        rest: what the classifiers add whatever the video holds.
        mean: the mean of all classes' shares; None where these are themselves above the mean.
    """

    regions: dict[str, np.ndarray]
    segments: dict[str, np.ndarray]
    rest: float
    mean: ClassShares | None = None

    @property
    def above_mean(self) -> ClassShares:
        """What adds up to the class's score above the mean of all classes' scores. What is added to all
        classes alike moves no probability, and is left out.
        """
        if self.mean is None:
            return self
        return ClassShares(
            {name: of - self.mean.regions[name] for name, of in self.regions.items()},
            {name: of - self.mean.segments[name] for name, of in self.segments.items()},
            self.rest - self.mean.rest,
        )

    @property
    def temporal(self) -> np.ndarray:
        """(T,) what each segment adds, over all streams."""
        first, *others = self.segments.values()
        return sum(others, first)

    @property
    def score(self) -> float:
        """The sum of all: the class's score before the softmax; where streams have classifiers of their own,
        the mean of their scores by their weights."""
        return float(self.temporal.sum()) + self.rest


@dataclass(frozen=True)
class Explanation:
    """How a model without an attention cell says where and when its evidence is.

    Attributes:
        where: the method and the layer that its maps over regions come from.
        when: what stands for each segment in the place of temporal attention.
        protocol: what the model was shown of the video.
    """

    where: str
    when: str
    protocol: str


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What a model says of one video, and where and when the evidence is.

    Attributes:
        video: the path or name that was given.
        labels: the A classes.
        scores: (A,) probabilities that sum to 1; of a network that learnt each class by itself
            (``train.loss`` sigmoid) one probability for each.
        duration_seconds: from the first frame's presentation to the end of the last.
        segments: the T segments that are shown. Their numbers are also attributes of the prediction.
        frames: (T, H, W, 3) uint8, the segments' frames scaled down for pictures; (0, 0, 0, 3) where nobody
            asked for pictures, or where there are none.
        notes: what the reader should know, such as damage in the file.
        flow: (T, 2, h, w) float32, for each segment the mean of the fields that a flow stream saw, in pixels
            a frame; it covers the whole frame. None without a flow stream.
        temporal_attention_by_stream: stream name -> (T,) the β of each stream's own network in late fusion;
            empty where one β serves all streams.
        stream_weights: stream name -> how much it counts, 1 in all: its network in late fusion, its branch in
            TAN and its rivals; else empty.
        gates: of TAN, branch -> (T, T): how much its step i counts for the other branch's step j; each column
            sums to 1. Else empty.
        track: a sample every few frames, where actions were looked for in time; else None. Then the segments
            above are stretches of these samples, to be shown.
        detections: the actions found in time, best first; None where none were looked for.
        of_features: a file of features stands in the video's place, so that there are no pictures.
        explanation: of a ready model, what stands in the place of attention; None where it is AttCell's own.
        sound: what is drawn of the video's sound; None without sound, or where nobody asked for pictures.
        evidence: class -> what adds up to its score; empty where nobody asked for pictures, and of networks
            whose scores are no such sum.
    """

    video: str
    labels: tuple[str, ...]
    scores: np.ndarray
    duration_seconds: float
    segments: AttentionTrack
    frames: np.ndarray
    notes: tuple[str, ...] = ()
    flow: np.ndarray | None = None
    temporal_attention_by_stream: dict[str, np.ndarray] = field(default_factory=dict)
    stream_weights: dict[str, float] = field(default_factory=dict)
    gates: dict[str, np.ndarray] = field(default_factory=dict)
    track: AttentionTrack | None = None
    detections: tuple[Detection, ...] | None = None
    of_features: bool = False
    explanation: Explanation | None = None
    sound: SoundTrack | None = None
    evidence: dict[str, ClassShares] = field(default_factory=dict)

    def __repr__(self) -> str:
        best = ", ".join(f"{label} {score:.3f}" for label, score in self.top(3))
        found = "" if self.detections is None else f", detections: {len(self.detections)}"
        return f"Prediction({self.video!r}: {best}; {len(self.segments)} segments{found})"

    @property
    def segments_seconds(self) -> np.ndarray:
        """(T, 2) start and end of each segment, in the video's own presentation time."""
        return self.segments.seconds

    @property
    def frame_seconds(self) -> np.ndarray:
        """(T,) presentation time of the frame that stands for each segment."""
        return self.segments.frame_seconds

    @property
    def temporal_scores(self) -> np.ndarray:
        """(T,) raw scores k of Eq. 7, before the softmax."""
        return self.segments.temporal_scores

    @property
    def temporal_attention(self) -> np.ndarray:
        """(T,) β of Eq. 7; sums to 1."""
        return self.segments.temporal_attention

    @property
    def spatial_attention(self) -> dict[str, np.ndarray]:
        """Stream name -> (T, K, K) α of Eq. 4, or (T, R, K) of a stream of sound; each map sums to 1."""
        return self.segments.spatial_attention

    @property
    def hearing(self) -> dict[str, Hearing]:
        """Stream name -> what its maps cover, for the streams that hear sound."""
        return self.segments.hearing

    @property
    def attended_area(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of what the network sees, as fractions of the frame."""
        return self.segments.attended_area

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The ``count`` best classes with their probabilities, best first."""
        best = (-self.scores).argsort(kind="stable")[: whole_number(count, "count", least=0)]
        return [(self.labels[i], float(self.scores[i])) for i in best]

    def to_dict(self) -> dict[str, Any]:
        """Everything but pictures, sound, evidence by class and what was found in time, as plain types that
        ``json`` takes."""
        return {
            "video": self.video,
            "top": [{"label": label, "score": score} for label, score in self.top()],
            "labels": list(self.labels),
            "scores": self.scores.tolist(),
            "duration_seconds": self.duration_seconds,
            "segments_seconds": self.segments_seconds.tolist(),
            "frame_seconds": self.frame_seconds.tolist(),
            "temporal_scores": self.temporal_scores.tolist(),
            "temporal_attention": self.temporal_attention.tolist(),
            "temporal_attention_by_stream": {
                name: weights.tolist() for name, weights in self.temporal_attention_by_stream.items()
            },
            "stream_weights": dict(self.stream_weights),
            "gates": {name: gates.tolist() for name, gates in self.gates.items()},
            "spatial_attention": {name: maps.tolist() for name, maps in self.spatial_attention.items()},
            "hearing": {
                name: {"window_seconds": of.window_seconds, "hertz": list(of.hertz)}
                for name, of in self.hearing.items()
            },
            "attended_area": list(self.attended_area),
            "notes": list(self.notes),
            "explanation": None if self.explanation is None else asdict(self.explanation),
        }


@dataclass(frozen=True)
class Answer:
    """What came of a question to a trained network.

    Attributes:
        metrics: name → percent.
        protocol: name → how they were made, in words.
        unread: video id → why it could not be read.
    """

    metrics: dict[str, float]
    protocol: dict[str, str]
    unread: dict[str, str] = field(default_factory=dict)
