"""What the page shows of streams that hear sound: a track under the time line, and each segment's part."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from attcell.report.colours import RAMP
from attcell.report.overlay import Terms
from attcell.report.page.media import heat_uri, jpeg_uri, levels_uri
from attcell.report.page.timeline import clock
from attcell.report.sound import (
    TRACK_RAMP,
    UNHEARD,
    SoundLayer,
    grey_picture,
    heard_words,
    hertz_words,
    track_levels,
    upright,
)
from attcell.types import Prediction


@dataclass(frozen=True)
class HeardView:
    """One stream that hears sound: its scales, and the track under the time line as ``data:`` addresses.

    ``low`` and ``high`` are the frequencies at its edges and ``window`` what it hears of a segment, as text;
    ``is_whole`` says that its windows cover the whole sound.
    """

    name: str
    peak: float
    even: float
    window: str
    low: str
    high: str
    picture: str
    heat: str
    is_whole: bool


@dataclass(frozen=True)
class HeardPicture:
    """What a stream heard of one segment, and its attention over it."""

    picture: str
    heat: str
    alt: str


def heard_view(prediction: Prediction, layer: SoundLayer) -> HeardView:
    """One stream's track under the time line."""
    sound = prediction.sound
    assert sound is not None and sound.loudness is not None, "there is a layer of it"
    track = prediction.segments if prediction.track is None else prediction.track
    low, high = layer.hearing.hertz
    levels = track_levels(track, layer, sound)
    return HeardView(
        name=layer.name,
        peak=layer.peak,
        even=layer.even,
        window=f"{layer.hearing.window_seconds:.2f} s",
        low=hertz_words(low),
        high=hertz_words(high),
        picture=jpeg_uri(Image.fromarray(grey_picture(sound.loudness, layer.range))),
        heat=levels_uri(levels, TRACK_RAMP),
        is_whole=not (levels == UNHEARD).any(),
    )


def heard_picture(prediction: Prediction, layer: SoundLayer, t: int) -> HeardPicture:
    """What one stream heard of segment ``t``."""
    seconds = float(prediction.frame_seconds[t])
    words = heard_words(layer, t, seconds, Terms.of(prediction).where)
    return HeardPicture(
        picture=jpeg_uri(Image.fromarray(layer.picture(prediction, t))),
        heat=heat_uri(upright(layer.maps[t]), layer.peak, RAMP),
        alt=f"Sound around {clock(seconds)}, frequencies upwards. {words}",
    )
