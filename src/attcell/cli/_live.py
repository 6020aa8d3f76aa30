"""``attcell detect --live``: a stream is watched, and each action goes out as soon as it is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attcell._log import logger
from attcell._terminal import put
from attcell.cli.common.options import files_of
from attcell.cli.predict import write_page
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.inference.live.watch import Told, Watch, Watching
    from attcell.inference.model import Model
    from attcell.types import Detection

_SHOWN = 1000  # of the latest actions, on the page


@dataclass
class Watched:
    """Which stream is watched by which model, and where the actions go; the options of ``--live``."""

    address: str
    videos: Sequence[Path]
    model: str | None
    how: Watching
    json_path: str | None
    report: Path | None
    device: str | None
    _told: list[Told] = field(default_factory=list)

    def run(self) -> None:
        """Watch until the stream ends, the time is over, or somebody ends it; then write what was asked for.

        Raises:
            CallError: a bad address or option, or a model that cannot watch.
            VideoError: the stream cannot be opened, or broke and did not come back. What was found until then
                is written before.
            KeyboardInterrupt: somebody ended it, and all is written.
        """
        from attcell._paths import check_outputs
        from attcell.cli.common.interruption import ended_in_order, leaves, raise_if_ended
        from attcell.cli.models import files_of_model
        from attcell.inference.live.watch import Watch
        from attcell.video.live.address import Address

        if self.videos:
            raise CallError(f"--live watches one stream, and {self.videos[0]} is named too; leave it out")
        address = Address.of(self.address)
        read = [Path(self.address)] if address.kind == "file" else []
        check_outputs(files_of(self.report, self.json_path), [*read, *files_of_model(self.model)])
        model = self._loaded()
        watch = Watch(model, address, self.how)
        leaves(lambda: ("what was found until then is written", ()))
        with ended_in_order(watch.end):
            with ExitStack() as stack:
                write = self._writer(stack)
                for told in watch:
                    write(told)
            self._finish(watch, str(address))
        raise_if_ended()
        if watch.fault is not None:
            raise watch.fault

    def _loaded(self) -> Model:
        from attcell.cli.models import loaded_model
        from attcell.inference.model import Model
        from attcell.models.ready.registry import is_ready

        if self.model is None or is_ready(self.model):
            raise CallError("--live watches with a trained model; name its folder by --model")
        model = loaded_model(self.model, (), self.device)
        if not isinstance(model, Model):
            raise CallError(f"--live watches with a trained model, and {self.model} is none; name its folder")
        return model

    def _writer(self, stack: ExitStack) -> Callable[[Told], None]:
        """What takes each action."""
        from attcell._files import Lines

        lines: Lines | None = None
        if self.json_path is not None and self.json_path.endswith(".jsonl"):
            lines = Lines(Path(self.json_path))
            stack.callback(lines.close)

        def write(told: Told) -> None:
            line = json.dumps(told.to_dict())
            put(line)
            if lines is not None:
                lines.add(line)
            self._told.append(told)
            if lines is not None or self.json_path in (None, "-"):
                del self._told[:-_SHOWN]

        return write

    def _finish(self, watch: Watch, name: str) -> None:
        """Say what came of it, and write the file and the page."""
        from attcell._files import write_json

        summary = watch.summary()
        latencies = sorted(told.latency_seconds for told in self._told)
        typical = f", typical latency {latencies[len(latencies) // 2]:.2f} s" if latencies else ""
        logger.info(
            f"{name}: {summary['watched_seconds']:.1f} s watched, {watch.num_told} actions{typical}; "
            f"{summary['segments']} segments, {summary['dropped_segments']} dropped; "
            f"{summary['reconnects']} reconnects, {summary['gap_seconds']:.1f} s missing"
        )
        if self.json_path not in (None, "-") and not str(self.json_path).endswith(".jsonl"):
            video: dict[str, Any] = {"video": name, "duration_seconds": summary["watched_seconds"]}
            video["detections"] = [told.to_dict() for told in self._told]
            write_json(str(self.json_path), {"model": self.model, "videos": [{**video, **summary}]})
        if self.report is None:
            return
        last = watch.last_window()
        if last is None:
            write_page([], self.report, {})
            return
        start = float(last.segments_seconds[0, 0])
        told: list[Detection] = [of.detection for of in self._told if of.detection.end_seconds > start]
        shown = replace(last, detections=tuple(sorted(told, key=lambda of: -of.score)))
        write_page([shown], self.report, {"model": str(self.model), "live": f"the last window of {name}"})
