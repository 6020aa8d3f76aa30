"""20 frames of a video of 12 minutes on a server: bytes read, requests, seconds; the same from a disk.

    uv run --extra s3 python -m benchmarks.remote [--out DIR]

Generated videos of 320×240 and 25 frames a second: H.264, a key frame every 10 s, three B-frames between
others, as an MP4 with its index in front and at its end, with a track of sound, and as Matroska; one minute
of VP8 as WebM.
A network of random weights predicts from 20 segments, by one process that has nothing of the video, with
files on a disk, from a server of HTTP, and from moto's of S3, all on this machine. What is counted are the
bytes and the requests that the library asks for. The predictions are compared, byte by byte. A second table
has the bytes and seconds by the length of the least range.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import torch

from attcell import _remote, _servers
from attcell._files import write_text, written_whole
from attcell._urls import path_or_url
from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.inference.predict import predict_video
from attcell.models.build import build_network
from benchmarks.machine import machine
from tests.range_server import range_server

RESULTS = Path(__file__).parent / "results"
RATE, SIZE, MINUTES, WANTED = 25, (320, 240), 12, 20
BLOCKS = (1 << 14, 1 << 15, 1 << 16, 1 << 18, 1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/remote"))
    folder = parser.parse_args().out
    files = written(folder)
    model = random_model()
    lines = [
        f"# {WANTED} frames of {MINUTES} minutes on a server",
        "",
        f"{SIZE[0]}×{SIZE[1]}, {MINUTES * 60 * RATE:,} frames; {machine()}; load {os.getloadavg()[0]:.1f} at "
        "the beginning.",
        "",
        "| file | MB | from | bytes read | of the file | requests | seconds | predictions |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with range_server(folder) as http, s3_server(folder) as bucket:
        for name, file in files.items():
            digest = ""
            for origin, path in (
                ("disk", file),
                ("HTTP", http.url(file.name)),
                ("S3", f"{bucket}/{file.name}"),
            ):
                found = measured(model, path)
                digest = digest or found.digest
                same = "the same" if found.digest == digest else "OTHERS"
                lines.append(row(name, file.stat().st_size, origin, found, same))
                print(lines[-1], flush=True)
        lines += ["", *by_block(model, files, http.address)]
    text = "\n".join([*lines, ""])
    write_text(RESULTS / "remote.md", text)
    print(text)


def row(name: str, size: int, origin: str, found: Found, same: str) -> str:
    if origin == "disk":
        return f"| {name} | {size / 1e6:.1f} | disk | | | | {found.seconds:.2f} | |"
    share = f"{found.num_bytes / size:.1%} | {found.num_requests}"
    return f"| | | {origin} | {found.num_bytes:,} | {share} | {found.seconds:.2f} | {same} |"


def by_block(model: Model, files: dict[str, Path], address: str) -> list[str]:
    """The second table."""
    lines = [
        "By the length of the least range, by HTTP: bytes read of the file, requests, seconds.",
        "",
        "| file | " + " | ".join(f"{block >> 10} KiB" for block in BLOCKS) + " |",
        "|" + "---|" * (len(BLOCKS) + 1),
    ]
    for name, file in files.items():
        cells = []
        for block in BLOCKS:
            with mock.patch.object(_remote, "_BLOCK", block):
                found = measured(model, f"{address}/{file.name}")
            share = found.num_bytes / file.stat().st_size
            cells.append(f"{share:.1%}, {found.num_requests}, {found.seconds:.2f} s")
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


@dataclass
class Found:
    """What one prediction was like."""

    digest: str
    seconds: float
    num_bytes: int = 0
    num_requests: int = 0


def measured(model: Model, path: Path | str) -> Found:
    """A prediction by a process that has nothing of the video yet."""
    _remote._LATEST.clear()
    _servers._KNOWN.clear()
    found = Found("", 0.0)
    asked, read = _servers._tried, _servers.range_of

    def tried(url: str, ask: Any) -> Any:
        found.num_requests += 1
        return asked(url, ask)

    def range_of(*given: Any) -> bytes:
        content = read(*given)
        found.num_bytes += len(content)
        return content

    with mock.patch.multiple(_servers, _tried=tried, range_of=range_of):
        start = time.perf_counter()
        prediction = predict_video(model, path_or_url(path), WANTED, pictures=False)
        found.seconds = time.perf_counter() - start
    told = {**prediction.to_dict(), "video": ""}
    found.digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return found


def random_model() -> Model:
    """A small network whose weights are drawn at random."""
    values: dict[str, Any] = {
        "data": {"train": "videos"},
        "input": {"size": 64, "short_side": 72},
        "train": {"iterations": 1},
        "segments": {"train": 2, "test": WANTED},
        "model": {"streams": {"frame": {"backbone": "small", "weights": "none"}}},
    }
    recipe = check_recipe(values, source="benchmarks.remote")
    network = build_network(recipe, 3, load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return Model(network.eval(), ("a", "b", "c"), recipe, {})


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """moto's server, with the files in a bucket."""
    import logging

    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    with mock.patch.dict(os.environ, {**told, **keys}):
        bucket = fsspec.filesystem("s3")
        bucket.mkdir("videos")
        for file in folder.iterdir():
            bucket.put_file(str(file), f"videos/{file.name}")
        yield "s3://videos"
    server.stop()


def written(folder: Path) -> dict[str, Path]:
    """The videos: H.264 once, and then the same packets in each container; VP8."""
    front = folder / "front.mp4"
    if not front.exists():
        options = {"preset": "veryfast", "crf": "26", "g": "250", "bf": "3", "sc_threshold": "0"}
        encode(front, "libx264", options, {"movflags": "faststart"}, minutes=MINUTES)
    names = {
        "MP4, index in front": front,
        "MP4, index at the end": folder / "end.mp4",
        "MP4 with sound": folder / "sound.mp4",
        "Matroska": folder / "video.mkv",
        "WebM, 1 minute": folder / "video.webm",
    }
    for name in ("end.mp4", "sound.mp4", "video.mkv"):
        if not (folder / name).exists():
            copy(front, folder / name, with_sound=name == "sound.mp4")
    if not (folder / "video.webm").exists():
        options = {"deadline": "realtime", "cpu-used": "8", "b": "300k", "g": "250"}
        encode(folder / "video.webm", "libvpx", options, {}, minutes=1)
    return names


def encode(
    path: Path, codec: str, options: dict[str, str], container_options: dict[str, str], *, minutes: int
) -> None:
    """A texture that moves."""
    width, height = SIZE
    scene = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    scene = scene.repeat(8, 0).repeat(8, 1)
    with written_whole(path) as temporary, av.open(str(temporary), "w", options=container_options) as target:
        stream: Any = target.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(minutes * 60 * RATE):
            left = round((np.sin(index / 70) + 1) * width / 2)
            top = round((np.cos(index / 91) + 1) * height / 2)
            picture = np.ascontiguousarray(scene[top : top + height, left : left + width])
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(stream.encode(None))


def copy(source: Path, path: Path, *, with_sound: bool) -> None:
    """The same packets in another container, perhaps with noise beside them."""
    with (
        written_whole(path) as temporary,
        av.open(str(source)) as origin,
        av.open(str(temporary), "w") as target,
    ):
        stream = target.add_stream_from_template(origin.streams.video[0])
        sounds: Any = target.add_stream("aac", rate=16_000, layout="mono") if with_sound else None
        for packet in origin.demux(video=0):
            if packet.dts is None:
                continue
            if sounds is not None:
                target.mux(sounds.encode(noise_of_a_frame()))
            packet.stream = stream
            target.mux(packet)
        if sounds is not None:
            target.mux(sounds.encode(None))


def noise_of_a_frame() -> av.AudioFrame:
    """Noise, as long as a frame is shown."""
    number = 16_000 // RATE
    noise = np.random.default_rng(0).normal(0, 0.1, (1, number)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
    frame.sample_rate = 16_000
    return frame


if __name__ == "__main__":
    main()
