"""200 requests of small clips to ``attcell serve``, 8 at once: none may be lost, none mixed up.

uv run python -m benchmarks.service
"""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import torch
import uvicorn

from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.serving.limits import Limits
from attcell.serving.service import service

REQUESTS, AT_ONCE, CLIPS = 200, 8, 20
RESULTS = Path(__file__).parent / "results" / "service.md"


def random_model(folder: Path) -> Model:
    """A small STAN with weights drawn at random."""
    stream = {"backbone": "small", "weights": "none", "conv6_channels": 8}
    values = {
        "data": {"train": folder, "workers": 0},
        "input": {"size": 32, "short_side": 36},
        "segments": {"train": 2, "test": 3},
        "model": {"streams": {"frame": stream}, "lstm_hidden": 8},
        "train": {"iterations": 2, "batch_size": 2},
    }
    recipe = check_recipe(values, source="benchmark")
    network = build_network(recipe, 3, load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return Model(network.eval(), ("run", "sit", "wave"), recipe)


def write_clip(path: Path, number: int) -> Path:
    """A second of noise that no other clip has."""
    generator = np.random.default_rng(number)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for shift in range(25):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, shift, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def asked(port: int, clip: Path) -> tuple[int, dict[str, object], float]:
    """Status, answer, and seconds of one request."""
    head = f'--x\r\nContent-Disposition: form-data; name="video"; filename="{clip.name}"\r\n\r\n'
    body = head.encode() + clip.read_bytes() + b"\r\n--x--\r\n"
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/v1/predict", body, {"Content-Type": "multipart/form-data; boundary=x"})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found, time.monotonic() - began


def load(folder: Path) -> list[str]:
    """The lines of the table."""
    clips = [write_clip(folder / f"{number}.mp4", number) for number in range(CLIPS)]
    model = random_model(folder)
    known = {clip.name: model.predict(clip, pictures=False).scores.tolist() for clip in clips}
    different = len({tuple(scores) for scores in known.values()})
    config = uvicorn.Config(service(model, "random", Limits()), log_level="error")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        began, port = time.monotonic(), door.getsockname()[1]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = list(threads.map(lambda of: asked(port, clips[of % CLIPS]), range(REQUESTS)))
        seconds = time.monotonic() - began
        server.should_exit = True
        thread.join()
    statuses = Counter(status for status, _, _ in answers)
    right = sum(
        status == 200
        and found["video"] == clips[of % CLIPS].name
        and found["scores"] == known[clips[of % CLIPS].name]
        for of, (status, found, _) in enumerate(answers)
    )
    times = np.array([took for _, _, took in answers])
    return [
        f"| requests, at once | {REQUESTS}, {AT_ONCE} |",
        f"| clips, with different scores | {CLIPS}, {different} |",
        f"| answered with status 200 | {statuses[200]} |",
        f"| with the clip's own name and scores | {right} |",
        f"| seconds of all | {seconds:.1f} |",
        f"| seconds of one, median and longest | {np.median(times):.2f}, {times.max():.2f} |",
    ]


def main() -> None:
    """Run it, and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        lines = load(Path(folder))
    table = ["| what | figure |", "|---|---|", *lines]
    head = "# The service under load\n\n`uv run python -m benchmarks.service`.\n\n"
    RESULTS.write_text(head + "\n".join(table) + "\n", encoding="utf-8")
    print("\n".join(table))


if __name__ == "__main__":
    main()
