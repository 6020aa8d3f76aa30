"""``attcell detect`` on 1, 10 and 60 minutes with sound: peak memory, and what share of the time sound costs.

    uv run python -m benchmarks.long_sound [--out DIR] [--minutes 1 10 60]

The videos are those of benchmarks/long_video.py, 320×240 H.264 of 25 frames a second, with AAC of 48 kHz
beside it. Three networks, a sample every 15 frames: frames alone (SqueezeNet with its ImageNet weights at
224×224); frames and sound (``small_sound``, log-mel pictures of a second) under the paper's LSTM; the same
under an encoder and a decoder, which go through the video a second time by what was kept of it. Heads are
drawn at random: what they say does not matter here. Each runs in a process of its own, which tells its peak
memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import torch

from attcell._files import write_text, written_whole
from attcell._log import logger, track
from attcell.config.recipe import check_recipe
from attcell.inference import detect as detecting
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.results.tables import markdown_table
from attcell.video.sound.source import SoundSource
from benchmarks.long_video import CLASSES, CLIPS, write_video
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
EVERY, AUDIO_RATE, BLOCK = 15, 48_000, 1024
NETWORKS = {
    "frames": (("frame",), "lstm"),
    "frames and sound": (("frame", "audio"), "lstm"),
    "the same, encoder and decoder": (("frame", "audio"), "encoder_decoder"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/long_sound"))
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--one", nargs=2, help="used by the benchmark itself")
    given = parser.parse_args()
    if given.one is not None:
        name, video = given.one
        print(json.dumps(run_one(model_folder(given.out, name), Path(video))))
        return
    rows = []
    for minutes in given.minutes:
        silent = write_video(given.out / f"{minutes}-silent.mp4", minutes)
        video = with_sound(silent, given.out / f"{minutes}.mp4", minutes)
        for name in NETWORKS:
            rows.append({"minutes": minutes, "network": name, **_alone(given.out, name, video)})
            logger.info(str(rows[-1]))
    text = report(rows)
    write_text(RESULTS / "long_sound.md", text)
    sys.stdout.write(text)


def _alone(out: Path, name: str, video: Path) -> dict[str, Any]:
    """Run in a process of its own, for its peak memory."""
    model_folder(out, name)
    command = [sys.executable, "-m", "benchmarks.long_sound", "--out", str(out), "--one", name, str(video)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def with_sound(silent: Path, path: Path, minutes: int) -> Path:
    """The video's packets as they are, and beside them tones that change twice a second over noise."""
    if path.exists():
        return path
    with (
        written_whole(path) as temporary,
        av.open(str(silent)) as source,
        av.open(str(temporary), "w") as container,
    ):
        seen = container.add_stream_from_template(source.streams.video[0])
        heard = container.add_stream("aac", rate=AUDIO_RATE, layout="mono", bit_rate=64_000)
        packets, waiting = source.demux(video=0), None
        rng = np.random.default_rng(0)
        num_samples = minutes * 60 * AUDIO_RATE
        blocks = range(0, num_samples, BLOCK)
        for first in track(blocks, len(blocks), f"adding sound to {path.name}"):
            frame = av.AudioFrame.from_ndarray(_tones(first, rng)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = AUDIO_RATE, first
            container.mux(heard.encode(frame))
            while (waiting := waiting or next(packets, None)) is not None and waiting.dts is not None:
                if float(waiting.dts * waiting.time_base) > first / AUDIO_RATE:
                    break
                waiting.stream = seen
                container.mux(waiting)
                waiting = None
        container.mux(heard.encode(None))
    return path


def _tones(first: int, rng: np.random.Generator) -> np.ndarray:
    seconds = (first + np.arange(BLOCK)) / AUDIO_RATE
    hertz = 300 * 1.4 ** ((2 * seconds).astype(int) % 8)
    noise = 0.02 * rng.standard_normal(BLOCK)
    return (0.2 * np.sin(2 * np.pi * hertz * seconds) + noise).astype(np.float32)


def model_folder(out: Path, name: str) -> Path:
    """The model, written where it is not there yet."""
    streams, temporal = NETWORKS[name]
    folder = out / ("-".join(streams) + f"-{temporal}")
    if folder.exists():
        return folder
    data = data_folder()
    assert data is not None, "the real weights are there: $ATTCELL_DATA"
    frozen = {"train_from": "none"}
    weights = str(data / "squeezenet1_0_imagenet.safetensors")
    of: dict[str, Any] = {
        "frame": {"backbone": "squeezenet", "weights": weights, **frozen},
        "audio": {"backbone": "small_sound", "weights": "none", **frozen},
    }
    values = {
        "data": {"train": "videos"},
        "input": {"size": 224, "short_side": 256},
        "model": {"kind": "stan", "temporal": temporal, "streams": {one: of[one] for one in streams}},
        "train": {"iterations": 1},
    }
    recipe = check_recipe(values, source="benchmark")
    torch.manual_seed(0)
    network = build_network(recipe, CLASSES, load_weights=True)
    labels = tuple(f"class {number}" for number in range(CLASSES))
    Model(network, labels, recipe).save_pretrained(folder)
    return folder


def run_one(model: Path, video: Path) -> dict[str, Any]:
    """Detect; seconds of all, of reading sound and making its pictures, and of the page's picture of it."""
    saved = Model.from_folder(model)
    spent = {"pictures": 0.0, "page": 0.0}
    pictures, page = SoundSource.pictures, detecting.sound_track

    def timed_pictures(source: SoundSource, seconds: np.ndarray) -> torch.Tensor:
        start = time.perf_counter()
        made = pictures(source, seconds)
        spent["pictures"] += time.perf_counter() - start
        return made

    def timed_page(*arguments: Any) -> Any:
        start = time.perf_counter()
        made = page(*arguments)
        spent["page"] += time.perf_counter() - start
        return made

    start = time.perf_counter()
    with (
        mock.patch.object(SoundSource, "pictures", timed_pictures),
        mock.patch.object(detecting, "sound_track", timed_page),
    ):
        found = detecting.detect_video(saved, video, RuleChoice(), EVERY)
    assert found.track is not None
    return {
        "seconds": time.perf_counter() - start,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "samples": len(found.track.seconds),
        **spent,
    }


def report(rows: list[dict[str, Any]]) -> str:
    """The page of the results."""
    head = (
        "minutes",
        "network",
        "samples",
        "peak memory MiB",
        "against the shortest",
        "seconds",
        "sound: reading, log-mel pictures",
        "sound: drawn for the page",
        "all that sound costs",
    )
    cells = []
    for row in rows:
        of_network = [one for one in rows if one["network"] == row["network"]]
        silent = next(one for one in rows if one["minutes"] == row["minutes"])
        cost = (row["seconds"] - silent["seconds"] + silent["page"]) / row["seconds"]
        is_silent = "audio" not in NETWORKS[row["network"]][0]
        cells.append(
            [
                str(row["minutes"]),
                row["network"],
                f"{row['samples']:,}",
                f"{row['peak']:.0f}",
                f"{row['peak'] / of_network[0]['peak'] - 1:+.1%}",
                f"{row['seconds']:.0f}",
                "" if is_silent else f"{row['pictures'] / row['seconds']:.1%}",
                f"{row['page'] / row['seconds']:.1%}",
                "" if is_silent else f"{cost:.1%}",
            ]
        )
    minutes = " ".join(str(of) for of in sorted({row["minutes"] for row in rows}))
    return (
        "# `detect` on long videos with sound\n\n"
        f"`uv run python -m benchmarks.long_sound --minutes {minutes}`: "
        f"320×240 H.264 of 25 frames a second ({len(CLIPS)} clips of UCF101 over and over) with AAC of "
        f"{AUDIO_RATE // 1000} kHz, a sample every {EVERY} frames. Frames: SqueezeNet at 224×224; sound: "
        f"`small_sound`, log-mel pictures of a second; {CLASSES} classes. Peak memory is that of the whole "
        "process. Shares are of the seconds of the row; *all that sound costs* is what the row takes longer "
        "than frames alone in the same run, and the picture of the sound that the page shows, which frames "
        f"alone have too. {machine()}.\n\n"
        + markdown_table(head, cells, (True, False) + (True,) * (len(head) - 2))
    )


if __name__ == "__main__":
    main()
