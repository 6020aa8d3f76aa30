"""A logger of Lightning's kind for Trackio, which Lightning has none for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger


class TrackioLogger(Logger):
    """Logs to a run of Trackio.

    Args:
        project: its name in Trackio.
        run: the name of the run in it; one that is there is gone on with.
        values: the run's configuration; of one that is gone on with nothing.
    """

    def __init__(self, project: str, run: str, values: Mapping[str, Any]) -> None:
        super().__init__()
        import trackio

        self._project, self._name = project, run
        with _nothing_on_stdout():
            self._run = trackio.init(
                project,
                run,
                config=dict(values) or None,
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    @property
    def name(self) -> str:
        return self._project

    @property
    def version(self) -> str:
        return self._name

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._run.log(dict(metrics), step=step)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """They go in as the run begins."""

    def show(self, name: str, picture: Path, step: int) -> None:
        """Log a PNG; Trackio keeps a copy."""
        import trackio

        self._run.log({name: trackio.Image(str(picture))}, step=step)

    def end(self) -> None:
        """Write what waits to be written."""
        import trackio

        with _nothing_on_stdout():
            trackio.finish()  # the run's own finish would be called once more at the end of the process


@contextmanager
def _nothing_on_stdout() -> Iterator[None]:
    """Trackio tells what it does on stdout, where results go."""
    with redirect_stdout(io.StringIO()):
        yield
