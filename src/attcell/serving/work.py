"""One network that works on one video after the other, for all who ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attcell.errors import VideoError
from attcell.serving.limits import Limits, Refused

if TYPE_CHECKING:
    from attcell.inference.model import Model
    from attcell.inference.ready import ReadyModel
    from attcell.types import Prediction

Result = TypeVar("Result")


class _Late(BaseException):
    """The work has taken too long: whoever catches errors of a video does not catch this."""


class Works:
    """Work on videos in one thread, with a bounded number of requests that wait.

    Args:
        model: what is run.
        limits: seconds of work, and how many wait.
    """

    def __init__(self, model: Model | ReadyModel, limits: Limits) -> None:
        from torch.nn.modules.module import register_module_forward_pre_hook

        self.model, self.limits = model, limits
        self.places = 0  # that are taken: one is worked on
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="attcell-model")
        self._deadline = threading.local()
        self._hook = register_module_forward_pre_hook(self._refuse_late)

    def close(self) -> None:
        """End when the video that is worked on is done."""
        self._hook.remove()
        self._thread.shutdown(cancel_futures=True)

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places, until the end of the block. Refused, 503: none is left."""
        if self.places > self.limits.waiting:
            raise Refused(
                503,
                f"{self.limits.waiting} requests wait already (--waiting); ask again later",
                {"Retry-After": "5"},
            )
        self.places += 1
        try:
            yield
        finally:
            self.places -= 1

    async def done(self, work: Callable[[], Result]) -> Result:
        """What the work gives, which is done when those before it are.

        Raises:
            Refused: 504, it took too long; it is broken off at the network's next layer.
        """
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()

        def run() -> Result:
            self._deadline.at = time.monotonic() + self.limits.seconds
            loop.call_soon_threadsafe(begun.set)
            try:
                return work()
            except _Late:
                raise self._too_long() from None
            finally:
                del self._deadline.at

        future = self._thread.submit(run)
        try:
            result = asyncio.wrap_future(future)
            started = asyncio.ensure_future(begun.wait())
            both: set[asyncio.Future[Any]] = {result, started}
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
            started.cancel()
            return await asyncio.wait_for(result, self.limits.seconds)
        except TimeoutError:
            raise self._too_long() from None
        finally:
            future.cancel()

    def _too_long(self) -> Refused:
        return Refused(
            504,
            f"the work on this video took more than {self.limits.seconds:g} s (--seconds) and was broken "
            "off; send a shorter one",
        )

    def _refuse_late(self, *_: Any) -> None:
        deadline = getattr(self._deadline, "at", None)
        if deadline is not None and time.monotonic() > deadline:
            raise _Late

    def predicted(self, path: Path, title: str, *, pictures: bool = False) -> Prediction:
        """What the model says of a video; errors name it by its title, and never by its path."""
        with _named(path, title):
            return self.model.predict(path, pictures=pictures)

    def detected(self, path: Path, title: str, *, pictures: bool = False) -> Prediction:
        """The same, with the actions in time: by the rule ``relative``, or by class scores where the model
        has no attention.
        """
        from attcell.inference.detect import detect_video
        from attcell.inference.detection_rules import RuleChoice
        from attcell.inference.model import Model

        with _named(path, title):
            if isinstance(self.model, Model):
                rule = "relative" if self.model.recipe.model.has_attention else "classes"
                return detect_video(self.model, path, RuleChoice(rule), None, pictures=pictures)
            return self.model.follow(path, pictures=pictures)

    def page(self, found: Prediction, title: str) -> str:
        """The page of a prediction with its pictures."""
        from attcell.report.page.page import render

        return render([found], {}, [title])


@contextmanager
def _named(path: Path, title: str) -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        text = str(error).replace(str(path), title).replace(str(path.parent), "")
        raise Refused(422, text) from None
