"""``attcell detect --live`` on a looped file that comes at 25 frames a second: memory, latency, reconnects.

    uv run python -m benchmarks.live demo/run/model demo/videos/test [--minutes 60]

with what ``attcell demo`` leaves. The first videos of each class, one after another, are the file. A server
on this machine sends it as MPEG-TS in real time, over and over, and breaks off after a third and after two
thirds of the time. What is found until the first break is compared with what ``attcell detect`` finds in the
file: an action is found again where its class is the same and the two overlap by half of their union.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av

from attcell._files import write_text
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
BREAKS = (1 / 3, 2 / 3)
THRESHOLD = "0.2"
WINDOW = 60
EACH = 2  # videos of each class


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("videos", type=Path, help="a folder for each class")
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stream, seconds = as_stream(options.videos, Path(folder) / "stream.ts")
        whole = offline(stream, options.model, Path(folder) / "offline.json")
        found = watched(stream, seconds, options.model, 60 * options.minutes, Path(folder))
    text = table(options, seconds, whole, found)
    write_text(RESULTS / "live.md", text)
    print(text)


def as_stream(videos: Path, target: Path) -> tuple[Path, float]:
    """Some videos of each class as one MPEG-TS of 25 frames a second; and its seconds."""
    classes = sorted(place for place in videos.iterdir() if place.is_dir())
    files = [sorted(of.glob("*.mp4"))[number] for number in range(EACH) for of in classes]
    number = 0
    with av.open(str(target), "w", format="mpegts") as written:
        out = written.add_stream("libx264", rate=25, options={"g": "25", "bf": "0"})
        out.pix_fmt = "yuv420p"
        for file in files:
            with av.open(str(file)) as given:
                if not number:
                    out.width, out.height = given.streams.video[0].width, given.streams.video[0].height
                for frame in given.decode(video=0):
                    image = frame.to_ndarray(format="rgb24")
                    picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                    picture.pts = number
                    number += 1
                    written.mux(out.encode(picture))
        written.mux(out.encode(None))
    return target, number / 25


class Looping(ThreadingHTTPServer):
    """Sends a file in real time, over and over; whoever is connected when a break is due loses it."""

    daemon_threads = True

    def __init__(self, file: Path, seconds: float, total: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.seconds = file.read_bytes(), seconds
        self.began = time.monotonic()
        self.breaks = [self.began + total * share for share in BREAKS]


class _Handler(BaseHTTPRequestHandler):
    server: Looping

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        content, a_byte, piece = self.server.content, self.server.seconds / len(self.server.content), 188 * 7
        began, sent = time.monotonic(), 0
        with suppress(OSError):
            while not (self.server.breaks and time.monotonic() > self.server.breaks[0]):
                time.sleep(max(0.0, began + sent * a_byte - time.monotonic()))
                start = sent % len(content)
                sent += self.wfile.write(content[start : start + piece])
            self.server.breaks.pop(0)


def offline(stream: Path, model: Path, target: Path) -> list[dict[str, Any]]:
    """What ``attcell detect`` finds in the file, in seconds from its first frame."""
    command = ["detect", str(stream), "--model", str(model), "--threshold", THRESHOLD, "--json", str(target)]
    subprocess.run([sys.executable, "-m", "attcell.cli.app", *command], check=True, capture_output=True)
    (video,) = json.loads(target.read_text())["videos"]
    first = video["first_frame_seconds"]
    return [
        {"label": of["label"], "start": of["start_seconds"] - first, "end": of["end_seconds"] - first}
        for of in video["detections"]
    ]


def watched(stream: Path, seconds: float, model: Path, total: float, folder: Path) -> dict[str, Any]:
    """What the command found, said and weighed."""
    server = Looping(stream, seconds, total)
    Thread(target=server.serve_forever, daemon=True).start()
    url, target = f"http://127.0.0.1:{server.server_address[1]}/live.ts", folder / "live.json"
    command = [sys.executable, "-m", "attcell.cli.app", "detect", "--live", url, "--model", str(model)]
    command += ["--threshold", THRESHOLD, "--window", str(WINDOW), "--for", str(total), "--json", str(target)]
    began, weights = time.monotonic(), []
    with (folder / "said").open("w") as said, (folder / "lines").open("w") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=said)
        while process.poll() is None:
            with suppress(OSError, StopIteration):
                status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                kilobytes = next(line for line in status if line.startswith("VmRSS")).split()[1]
                weights.append((time.monotonic() - began, int(kilobytes) / 1024))
            time.sleep(5)
    server.shutdown()
    usage = (folder / "said").read_text()
    if process.returncode != 0:
        raise RuntimeError(usage)
    (video,) = json.loads(target.read_text())["videos"]
    return {**video, "weights": weights, "said": usage}


def overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Intersection over union of two stretches of time."""
    inside = min(one["end"], other["end"]) - max(one["start"], other["start"])
    return max(0.0, inside) / (max(one["end"], other["end"]) - min(one["start"], other["start"]))


def compared(whole: list[dict[str, Any]], live: list[dict[str, Any]], seconds: float) -> tuple[int, int, int]:
    """Of the first connection, whose times are the file's modulo its length: how many actions the file's
    rounds have, how many of them were found live, and how many were found that it has not. Those within a
    window of either end are left out.
    """
    until = max((of["end_seconds"] for of in live), default=0.0)
    found = [{"label": of["label"], "start": of["start_seconds"], "end": of["end_seconds"]} for of in live]
    rounds = range(int(until // seconds) + 1)
    truth = [
        {"label": of["label"], "start": of["start"] + turn * seconds, "end": of["end"] + turn * seconds}
        for turn in rounds
        for of in whole
    ]
    inside = (10.0, until - 1.0)
    truth = [of for of in truth if of["start"] > inside[0] and of["end"] < inside[1]]
    found = [of for of in found if of["start"] > inside[0] and of["end"] < inside[1]]

    def has(some: list[dict[str, Any]], one: dict[str, Any]) -> bool:
        return any(of["label"] == one["label"] and overlap(of, one) >= 0.5 for of in some)

    return (
        len(truth),
        sum(has(found, one) for one in truth),
        sum(not has(truth, one) for one in found),
    )


def table(
    options: argparse.Namespace, seconds: float, whole: list[dict[str, Any]], found: dict[str, Any]
) -> str:
    """What came of it, for people."""
    latencies = sorted(of["latency_seconds"] for of in found["detections"])
    weights = found["weights"]
    settled = [weight for at, weight in weights if at > min(120.0, weights[-1][0] / 4)]
    half = len(settled) // 2
    first_break = 60 * options.minutes * BREAKS[0] - 2
    before = [of for of in found["detections"] if of["end_seconds"] < first_break]
    known, again, others = compared(whole, before, seconds)
    rows = [
        ("ran", f"{options.minutes:g} minutes, {found['watched_seconds']:.0f} s of the stream"),
        ("frames", f"{found['frames']}, {found['frames'] / (60 * options.minutes):.1f} a second of the run"),
        ("segments", f"{found['segments']}, {found['dropped_segments']} dropped"),
        ("reconnects", f"{found['reconnects']}, {found['gap_seconds']:.1f} s missing"),
        ("actions told", f"{len(latencies)}"),
    ]
    if latencies:
        nine = latencies[int(0.9 * (len(latencies) - 1))]
        rows.append(
            (
                "latency",
                f"median {statistics.median(latencies):.2f} s, 90 % {nine:.2f}, most {latencies[-1]:.2f}",
            )
        )
    if half:
        rows.append(
            (
                "memory (RSS), MB",
                f"mean of the first half {statistics.mean(settled[:half]):.0f}, of the second "
                f"{statistics.mean(settled[half:]):.0f}, most {max(settled):.0f}",
            )
        )
    rows.append(("beside the file", f"{again} of {known} actions found again, {others} others"))
    return "\n".join(
        [
            "# A stream that is watched",
            "",
            f"{machine()}. A file of {seconds:.1f} s with {len(whole)} actions found offline, sent over and "
            f"over at 25 frames a second; window {WINDOW} s, threshold {THRESHOLD}; model of attcell demo. "
            "Memory without the beginning (a quarter of the time, at most 2 minutes). "
            "*Beside the file*: until the first break, actions of the same class that overlap by half.",
            "",
            "| what | found |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
        ]
    )


if __name__ == "__main__":
    main()
