"""``attcell detect --live``, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import av
import pytest

from tests.end_to_end.conftest import Run, command
from tests.paced_server import paced_server


@pytest.fixture(scope="module")
def stream(untrimmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long video as MPEG-TS."""
    (source, *_) = sorted((untrimmed / "test").glob("*/*.mp4"))
    target = tmp_path_factory.mktemp("stream") / "long.ts"
    with av.open(str(source)) as given, av.open(str(target), "w", format="mpegts") as written:
        stream = written.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return target


def test_a_file_gives_what_detect_finds_in_it(attcell: Run, model, stream, tmp_path):
    words = ("--model", model, "--threshold", "0.05")
    outputs = ("--json", "live.json", "--report", "live.html")
    done = attcell("detect", "--live", stream, *words, "--window", "600", *outputs)
    live = [json.loads(line) for line in done.stdout.splitlines()]
    assert live
    assert all(of["latency_seconds"] >= 0 for of in live)
    content = json.loads((tmp_path / "live.json").read_text())
    assert content["videos"][0]["detections"] == live
    assert content["videos"][0]["dropped_segments"] == content["videos"][0]["reconnects"] == 0
    attcell("detect", stream, *words, "--json", "file.json")
    (offline,) = json.loads((tmp_path / "file.json").read_text())["videos"]
    first = offline["first_frame_seconds"]
    last = max(live, key=lambda of: of["end_seconds"])
    ends = [of["end_seconds"] - first for of in offline["detections"] if of["label"] == last["label"]]
    assert min(abs(last["end_seconds"] - end) for end in ends) < 0.3
    assert "the last window of" in (tmp_path / "live.html").read_text(encoding="utf-8")


def test_a_server_that_breaks_off_twice(attcell: Run, model, stream, tmp_path):
    words = ("--model", model, "--threshold", "0.05", "--window", "8", "--reconnects", "2")
    with paced_server(stream, 1.5, (0.4, 0.5), loops=5) as url:
        done = attcell("detect", "--live", url, *words, "--json", "live.jsonl", "--for", "5")
    assert done.stderr.count("s of the stream are missing") == 2
    assert "2 reconnects" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()] == lines
    assert all(of["start_seconds"] < of["end_seconds"] for of in lines)


def test_an_end_by_hand_writes_what_was_found(model, stream, tmp_path):
    words = ["--model", model, "--threshold", "0.05", "--json", "live.json"]
    pipe = subprocess.PIPE
    with (
        paced_server(stream, 2, loops=50) as url,
        subprocess.Popen(
            command(["detect", "--live", url, *words]), cwd=tmp_path, stdout=pipe, stderr=pipe, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, said = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130, said
    assert "detect was ended by Ctrl-C; what was found until then is written" in said
    found = json.loads((tmp_path / "live.json").read_text())["videos"][0]["detections"]
    assert found == [first, *map(json.loads, rest.splitlines())]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--live", "gone.ts", "--model", "MODEL"], "attcell: --live gone.ts: no such file"),
        (["--live", "STREAM"], "attcell: --live watches with a trained model; name its folder by --model"),
        (["a.mp4", "--live", "STREAM", "--model", "MODEL"], "attcell: --live watches one stream, and a.mp4"),
        (["--live", "STREAM", "--model", "MODEL", "--window", "1"], "attcell: --window is 1; give 5 seconds"),
        (
            ["--live", "STREAM", "--model", "MODEL", "--on", "ray"],
            "attcell: --on is not for --live: leave it",
        ),
        (["a.mp4", "--for", "3"], "attcell: --for is not for files: it ends --live"),
        ([], "attcell: no video was named; name videos, or a stream by --live ADDRESS"),
        (["a.mp4", "--model", "MODEL", "--device", "tpu"], "attcell: device is 'tpu'"),
    ],
)
def test_wrong_calls(attcell: Run, model, stream, words, message):
    named = {"MODEL": model, "STREAM": stream}
    done = attcell("detect", *(named.get(word, word) for word in words), status=2)
    assert done.stderr.startswith(message), done.stderr
    assert done.stdout == ""
