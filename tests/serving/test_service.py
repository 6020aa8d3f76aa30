"""The service over a real socket: what it answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attcell.inference.model import Model
from attcell.serving.limits import Limits
from tests.small_models import folder, model, recipe  # noqa: F401

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def served(model: Model, limits: Limits | None = None) -> Iterator[int]:  # noqa: F811
    """The port of a service that runs in a thread."""
    import uvicorn

    from attcell.serving.service import service

    config = uvicorn.Config(service(model, "runs/mine", limits), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield door.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def asked(port: int, path: str, body: bytes | None = None, kind: str = "") -> Answer:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            "GET" if body is None else "POST", path, body, {"Content-Type": kind} if kind else {}
        )
        answer = connection.getresponse()
        return answer.status, {name.lower(): of for name, of in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def form(content: bytes, name: str = "clip.mp4", kind: str = "video/mp4", field: str = "video") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n--x--\r\n"


def sent(port: int, body: bytes, path: str = "/v1/predict") -> Answer:
    return asked(port, path, body, "multipart/form-data; boundary=x")


def detail(answer: Answer) -> str:
    return json.loads(answer[2])["detail"]


@pytest.fixture
def clip(folder: Path) -> Path:  # noqa: F811
    return folder / "run" / "0.mp4"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_answers_as_the_model_does(model, clip, temporary):  # noqa: F811
    body = form(clip.read_bytes(), name="../../etc/<b>pass&amp;wd</b>.mp4")
    with served(model) as port:
        status, _, predicted = sent(port, body)
        assert status == 200
        found = json.loads(predicted)
        expected = model.predict(clip, pictures=False).to_dict()
        assert found.pop("video") == "b>.mp4"
        assert found == {name: of for name, of in expected.items() if name != "video"}
        status, _, detected = sent(port, body, "/v1/detect")
        assert status == 200
        assert [of["label"] for of in json.loads(detected)["detections"]] == [
            of.label for of in model.detect(clip)
        ]
        card = json.loads(asked(port, "/v1/model")[2])
        assert (card["model"], card["kind"], card["labels"]) == ("runs/mine", "stan", ["run", "sit", "wave"])
        assert json.loads(asked(port, "/health")[2]) == {"status": "ok"}
        assert b'attcell_requests_total{path="/v1/predict",status="200"} 1\n' in asked(port, "/metrics")[2]
        described = json.loads(asked(port, "/openapi.json")[2])
        assert set(described["paths"]) >= {"/v1/predict", "/v1/detect", "/v1/report", "/v1/model"}
    assert list(temporary.iterdir()) == []


def test_the_page_shows_a_name_and_runs_none(model, clip, temporary):  # noqa: F811
    with served(model) as port:
        status, headers, page = sent(port, form(clip.read_bytes(), "<img src=x onerror=1>.mp4"), "/v1/report")
    assert status == 200
    assert headers["content-security-policy"].startswith("sandbox")
    assert b"<img src=x" not in page
    assert b"&lt;img src=x onerror=1&gt;.mp4" in page
    assert b"attcell-serve-" not in page
    assert list(temporary.iterdir()) == []


def test_what_is_no_video_is_told_by_its_title(model, temporary):  # noqa: F811
    secret = temporary / "secret.txt"
    secret.write_text("secret")
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n".encode()
    concat = f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    with served(model) as port:
        for content in (playlist, concat, b"text", b"\x93NUMPY"):
            status, _, answer = sent(port, form(content, "../list.m3u8"))
            assert status == 422
            assert json.loads(answer)["detail"].startswith("list.m3u8: ")
            assert b"attcell-serve-" not in answer
    assert list(temporary.iterdir()) == [secret]


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"{}", "application/json", 415, "the content type is 'application/json'; send multipart/form-data"),
        (form(b"x", kind="text/html"), "", 415, "the file's content type is 'text/html'; send video/…"),
        (form(b"x", field="path"), "", 400, "the form has another part than the file video"),
        (form(b""), "", 400, "the video is empty"),
        (form(b"x")[:-9], "", 400, "the form ends in its middle"),
        (form(b"x" * 1001), "", 413, "the video has more than 0.001 MB (--megabytes)"),
        (form(b"x" * 100_000), "", 413, "the video has more than 0.001 MB (--megabytes)"),
        (b"--x--\r\n", "", 400, "the form has no file in the field video; send one video there"),
    ],
)
def test_bad_forms(model, temporary, body, kind, status, reason):  # noqa: F811
    with served(model, Limits(megabytes=0.001)) as port:
        answer = asked(port, "/v1/predict", body, kind or "multipart/form-data; boundary=x")
    assert answer[0] == status
    assert detail(answer).startswith(reason)
    assert list(temporary.iterdir()) == []


def test_an_endless_upload_ends(model, temporary):  # noqa: F811
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with (
        served(model, Limits(upload_seconds=0.3)) as port,
        socket.create_connection(("127.0.0.1", port)) as line,
    ):
        line.sendall(head + b"3\r\n--x\r\n")
        line.settimeout(10)
        answer = b"".join(iter(lambda: line.recv(10_000), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the video had not come after 0.3 s (--upload-seconds)" in answer
    assert list(temporary.iterdir()) == []


def test_work_that_takes_too_long_and_those_that_wait(model, clip, temporary, monkeypatch):  # noqa: F811
    began, may_end = threading.Event(), threading.Event()
    predict: Callable = Model.predict

    def slow(*args, **options):
        began.set()
        may_end.wait(10)
        return predict(*args, **options)

    monkeypatch.setattr(Model, "predict", slow)
    body, answers = form(clip.read_bytes()), []
    with served(model, Limits(seconds=0.5, waiting=0)) as port:
        thread = threading.Thread(target=lambda: answers.append(sent(port, body)))
        thread.start()
        assert began.wait(10)
        status, headers, refused = sent(port, body)
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"0 requests wait already (--waiting)" in refused
        thread.join()
        assert answers[0][0] == 504
        assert "more than 0.5 s (--seconds)" in detail(answers[0])
        may_end.set()
        monkeypatch.setattr(Model, "predict", predict)
        assert sent(port, body)[0] == 200
    assert list(temporary.iterdir()) == []
