"""The stream of sound of an open file: which one it is, its frames, and what of it does not decode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from attcell._walls import alive

DAMAGED = "damaged packets of sound"


@dataclass
class Tally:
    """What a reader of the sound should know."""

    streams: str = ""
    num_refused: int = 0
    cut_off: str = ""

    def notes(self) -> Iterator[str]:
        if self.streams:
            yield self.streams
        if self.num_refused:
            yield f"{DAMAGED}: {self.num_refused}; they are silence"
        if self.cut_off:
            yield f"the sound is cut off: {self.cut_off}"


def sound_stream(container: InputContainer, tally: Tally) -> AudioStream | None:
    """The default stream of sound, else the one that FFmpeg takes; None where there is none that it can
    decode."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not streams:
        return None
    best = container.streams.best("audio")
    named = [of for of in streams if of.disposition & av.stream.Disposition.default]
    chosen = named[0] if named else next((of for of in streams if of is best), streams[0])
    if len(streams) > 1:
        which = "the default one" if named else "the one that FFmpeg takes"
        language = f", {chosen.language}" if chosen.language not in (None, "", "und") else ""
        tally.streams = f"{len(streams)} streams of sound: {which} is heard, stream {chosen.index}{language}"
    return chosen


def frames_of(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[AudioFrame]:
    """The decoded frames; what does not decode is counted."""
    packets: Iterator[av.Packet | None] = itertools.chain(_packets(container, stream, tally), [None])
    for packet in packets:
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            tally.num_refused += 1
            continue
        yield from (frame for frame in frames if frame.samples)


def _packets(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[av.Packet]:
    """The packets of a stream, up to where the file is cut off."""
    packets = container.demux(stream)
    while True:
        alive()
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            tally.cut_off = error.strerror or str(error)
            return
        if packet is None:
            return
        if packet.size:  # else PyAV's flush
            yield packet
