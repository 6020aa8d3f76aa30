"""The frames of a stream, decoded in a thread, with reconnection; what does not fit is dropped and counted.

Times are the stream's own from its first frame on, which is at 0. Over a reconnection they go on with the
seconds that passed on this machine's clock; where a stream's stamps jump, with those of one frame.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from attcell._log import logger
from attcell.errors import VideoError
from attcell.types import Size
from attcell.video._container import shown_size, to_rgb
from attcell.video._passes import SOME_RATE
from attcell.video.live.address import Address

QUEUED_FRAMES = 128  # at the size they are kept at
_LONGEST_WAIT = 30.0  # seconds from one attempt to the next
_JUMP_SECONDS = 10.0  # from one stamp to the next, and they are not of one clock
_LOOK_SECONDS = 0.1

Sizing = Callable[[Size], Size]


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """A frame as it came.

    Attributes:
        seconds: when it is shown, in the stream.
        arrived: when it was decoded, by ``time.monotonic``.
        image: (H, W, 3) uint8, RGB.
    """

    seconds: float
    arrived: float
    image: np.ndarray


@dataclass(frozen=True)
class Dropped:
    """So many frames are missing here, since the network did not keep up."""

    num_frames: int


@dataclass(frozen=True)
class Reconnected:
    """The stream broke here, and goes on after so many seconds."""

    gap_seconds: float


@dataclass(frozen=True)
class Ended:
    """Nothing more comes; with the fault where it should have."""

    fault: VideoError | None = None


Came = LiveFrame | Dropped | Reconnected | Ended


class LiveSource:
    """What comes of a stream. Use it as a context, and iterate it once: the last thing that comes is Ended.

    Args:
        address: of the stream.
        size: the size of the frames as shown -> the one to give them at.
        reconnects: attempts in a row to open it again after it broke; the waits between them double.
        first_wait: seconds before the first of these.
        most_seconds: after so long it is stopped.
    """

    def __init__(
        self,
        address: Address,
        size: Sizing,
        *,
        reconnects: int = 5,
        first_wait: float = 1.0,
        most_seconds: float | None = None,
    ) -> None:
        self._address, self._size = address, size
        self._reconnects, self._first_wait = reconnects, first_wait
        self._most_seconds = most_seconds
        self._queue: Queue[Came] = Queue(QUEUED_FRAMES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="attcell-live", daemon=True)
        self._clock = _Clock()
        self._num_left_out = 0  # frames since the last one that fitted
        self.num_frames = self.num_dropped = self.num_damaged = self.num_reconnects = 0
        self.gap_seconds = 0.0
        self.is_wanted = True  # a handler of signals may take it back: it takes no lock
        self.rate = SOME_RATE

    def __enter__(self) -> LiveSource:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(2.0)  # where it waits for a server, it ends with this process

    def stop(self) -> None:
        """No more is read; what has come is still given, and then Ended."""
        self._stop.set()

    def __iter__(self) -> Iterator[Came]:
        began = time.monotonic()
        while True:
            is_over = self._most_seconds is not None and time.monotonic() - began >= self._most_seconds
            if is_over or not self.is_wanted:
                self.stop()
            try:
                came = self._queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                if self._stop.is_set():
                    yield Ended()
                    return
                continue
            yield came
            if isinstance(came, Ended):
                return

    def _run(self) -> None:
        try:
            self._put(Ended(self._read_all()))
        except BaseException as error:
            self._put(Ended(VideoError(f"{self._address}: reading it failed ({error!r})")))

    def _read_all(self) -> VideoError | None:
        """Read until it ends; why it ended too early."""
        fault = self._read()
        if not self.num_frames:
            return fault or VideoError(f"{self._address}: no frame came; check that it sends a video")
        attempt = 0
        while self._address.goes_on and attempt < self._reconnects and not self._stop.is_set():
            attempt += 1
            wait = min(self._first_wait * 2 ** (attempt - 1), _LONGEST_WAIT)
            logger.info(
                f"{self._address}: the stream broke after {self._clock.latest:.1f} s; attempt {attempt} of "
                f"{self._reconnects} to connect again in {wait:g} s"
            )
            self._stop.wait(wait)
            before = self.num_frames
            fault = self._read(again=True)
            if self.num_frames > before:
                attempt = 0
        if not self._address.goes_on or self._stop.is_set() or not self._reconnects:
            return None if self._address.goes_on else fault
        return VideoError(
            f"{self._address}: the stream broke after {self._clock.latest:.1f} s and did not come back in "
            f"{self._reconnects} attempts; check what sends it, or allow more (--reconnects)"
        )

    def _read(self, *, again: bool = False) -> VideoError | None:
        """Read one connection to its end; what it broke by."""
        if self._stop.is_set():
            return None
        try:
            container, video = self._address.open()
        except VideoError as error:
            return error
        video.thread_type = "AUTO" if self._address.kind == "file" else "SLICE"  # others would come late
        self.rate = float(video.average_rate or video.guessed_rate or SOME_RATE)
        self._clock.start(1 / self.rate)
        reformatter, is_first = VideoReformatter(), again
        try:
            for frame in self._frames(video, container.demux(video)):
                seconds = self._clock.at(frame)
                if is_first:
                    self._tell_reconnection()
                    is_first = False
                self._give(frame, seconds, reformatter)
                if self._stop.is_set():
                    break
        except (av.FFmpegError, OSError) as error:
            return VideoError(f"{self._address}: it broke off ({type(error).__name__}){self._address.advice}")
        finally:
            with suppress(av.FFmpegError, OSError):
                container.close()
            self._put_dropped()
        return None

    def _frames(self, video: VideoStream, packets: Iterator[av.Packet]) -> Iterator[VideoFrame]:
        """Every frame that decodes; packets that the decoder refuses are counted."""
        for packet in packets:
            try:
                frames = video.decode(packet)
            except av.FFmpegError:
                self.num_damaged += 1
                continue
            yield from frames

    def _tell_reconnection(self) -> None:
        gap = self._clock.gap
        self.num_reconnects += 1
        self.gap_seconds += gap
        logger.info(f"{self._address}: connected again; {gap:.1f} s of the stream are missing")
        self._put(Reconnected(gap))

    def _give(self, frame: VideoFrame, seconds: float, reformatter: VideoReformatter) -> None:
        """Hand a frame over, or drop it where the queue of a stream that goes on is full: then until there is
        room for half of it, so that frames are missing in one piece.
        """
        self.num_frames += 1
        room = QUEUED_FRAMES // 2 if self._num_left_out else 3  # for Dropped and Ended too
        if self._address.goes_on and QUEUED_FRAMES - self._queue.qsize() < room:
            self._num_left_out += 1
            self.num_dropped += 1
            return
        self._put_dropped()
        image = to_rgb(frame, self._size(shown_size(frame)), reformatter)
        self._put(LiveFrame(seconds, time.monotonic(), image))

    def _put_dropped(self) -> None:
        """Say how many frames did not fit since the last one that did."""
        if self._num_left_out:
            self._put(Dropped(self._num_left_out))
            self._num_left_out = 0

    def _put(self, came: Came) -> None:
        """Wait for room, unless nobody takes anything any more."""
        while True:
            with suppress(Full):
                self._queue.put(came, timeout=_LOOK_SECONDS)
                return
            if self._stop.is_set():
                return


class _Clock:
    """From the stamps of one connection after another to seconds that only grow."""

    def __init__(self) -> None:
        self.latest = 0.0
        self.gap = 0.0  # of the latest reconnection
        self._arrived: float | None = None
        self._interval = 1 / SOME_RATE
        self._stamp: float | None = None  # of the latest frame of this connection
        self._offset = 0.0

    def start(self, interval: float) -> None:
        """A connection begins, whose frames are so many seconds apart."""
        self._interval, self._stamp = interval, None

    def at(self, frame: VideoFrame) -> float:
        """When the next frame is shown."""
        now = time.monotonic()
        stamp = frame.time
        if self._stamp is None:
            self.gap = 0.0 if self._arrived is None else max(now - self._arrived, self._interval)
            seconds = 0.0 if self._arrived is None else self.latest + self.gap
            self._stamp = 0.0 if stamp is None else stamp
            self._offset = seconds - self._stamp
        else:
            before, self._stamp = self._stamp, self._stamp + self._interval if stamp is None else stamp
            if not 0 < self._stamp - before < _JUMP_SECONDS:
                self._offset = self.latest + self._interval - self._stamp
            seconds = self._stamp + self._offset
        self.latest, self._arrived = seconds, now
        return seconds
