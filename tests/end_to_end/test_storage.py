"""Commands over videos on a server of S3 and of HTTP: what they give of files on a disk, byte for byte."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from attcell import _servers
from attcell._urls import path_or_url
from attcell.config.recipe import check_recipe
from attcell.data.feature_store import DigestCache
from attcell.errors import AttcellError
from attcell.inference.model import Model
from attcell.inference.predict import predict_videos
from attcell.training.run_folder import with_absolute_paths
from tests.end_to_end.conftest import Run, recipe_values
from tests.range_server import range_server

BUCKET = "s3://videos"


@pytest.fixture(scope="module")
def bucket(videos: Path):
    """The generated set's test videos, and a list of them, in a bucket of moto's server."""
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patched.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patched.setattr(_servers, "_SERVERS", {})
        files = fsspec.filesystem("s3", skip_instance_cache=True)
        for name in ("videos", "stores"):
            files.mkdir(name)
        labels = sorted(path.name for path in (videos / "test").iterdir())
        lines = []
        for path in sorted((videos / "test").glob("*/*.mp4")):
            name = path.relative_to(videos).as_posix()
            files.put_file(str(path), f"videos/{name}")
            lines.append(f"{name} {labels.index(path.parent.name)}\n")
        files.pipe_file("videos/list.txt", "".join(lines).encode())
        files.pipe_file("videos/labels.txt", "\n".join(labels).encode())
        yield files
    server.stop()


def told(path: Path, root: str) -> str:
    return path.read_text().replace(root, "ROOT")


def test_predictions_are_those_of_local_files(bucket, videos, model, attcell: Run, tmp_path) -> None:
    names = sorted(path.relative_to(videos).as_posix() for path in (videos / "test").glob("*/*.mp4"))[:3]
    with range_server(videos) as server:
        roots = {"disk": str(videos), "s3": BUCKET, "http": server.address}
        for origin, root in roots.items():
            out = f"{origin}.json"
            attcell("predict", *(f"{root}/{name}" for name in names), "--model", model, "--json", out)
    found = {told(tmp_path / f"{origin}.json", root) for origin, root in roots.items()}
    assert len(found) == 1
    assert len(json.loads(found.pop())["predictions"]) == 3


def test_a_folder_and_a_list_are_checked(bucket, attcell: Run) -> None:
    done = attcell("data", "check", f"{BUCKET}/test")
    assert f"{BUCKET}/test: 8 videos, 4 classes, 8 can be read" in done.stdout
    done = attcell("data", "check", f"{BUCKET}/list.txt")
    assert "8 videos, 4 classes, 8 can be read" in done.stdout


def test_flow_is_kept_in_a_bucket(bucket, attcell: Run) -> None:
    words = ("extract", "flow", f"{BUCKET}/list.txt", "s3://stores/flow", "--short-side", "32")
    done = attcell(*words, status=2)
    assert (
        "s3://stores/flow is on a server, where a folder would be there before it is complete" in done.stderr
    )
    assert "8 videos computed, 0 there already" in attcell(*words, "--form", "zip").stdout
    assert "0 videos computed, 8 there already" in attcell(*words, "--form", "zip").stdout
    assert len(bucket.find("stores/flow")) == 8


def test_a_model_is_tested_on_a_list(bucket, model, attcell: Run) -> None:
    done = attcell("test", model, "--data", f"{BUCKET}/list.txt", "--out", "found")
    assert "videos 8, unread 0" in done.stdout


def test_what_is_not_there_is_named_and_the_others_are_done(bucket, videos, model) -> None:
    good = next((videos / "test").glob("*/*.mp4")).relative_to(videos).as_posix()
    paths = [path_or_url(f"{BUCKET}/{name}") for name in (good, "test/none.mp4", good)]
    found = [of for _, of in predict_videos(Model.from_folder(model), paths, pictures=False)]
    assert isinstance(found[1], AttcellError)
    assert str(found[1]) == f"{BUCKET}/test/none.mp4: cannot be read (the server has no such file)"
    assert found[0].to_dict() == found[2].to_dict()


def test_no_credentials(bucket, monkeypatch) -> None:
    monkeypatch.setattr(_servers, "_SERVERS", {})
    monkeypatch.setattr(_servers, "_KNOWN", {})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(PermissionError, match="there are no credentials: set AWS_ACCESS_KEY_ID and"):
        path_or_url(f"{BUCKET}/list.txt").stat()


def test_a_video_there_is_named_by_its_version(bucket, tmp_path) -> None:
    path = next(iter(path_or_url(f"{BUCKET}/test").files()))
    name = DigestCache(tmp_path).digest(path)
    assert name == DigestCache(path_or_url("s3://stores/features")).digest(path)
    assert len(name) == 24


def test_recipes_keep_urls(videos) -> None:
    values = recipe_values(videos)
    values["data"].update(train=f"{BUCKET}/list.txt", test="https://host/test.txt")
    recipe = with_absolute_paths(check_recipe(values, source="test"))
    assert recipe.model_dump(mode="json")["data"]["train"] == f"{BUCKET}/list.txt"
    assert recipe.data.test == path_or_url("https://host/test.txt")
    values["data"]["test"] = "https://host/test.txt?sig=s3cret"
    with pytest.raises(AttcellError, match="is signed, and a recipe stands in the run folder") as refused:
        check_recipe(values, source="test")
    assert "s3cret" not in str(refused.value)
    values["data"]["test"], values["model"]["init_from"] = None, f"{BUCKET}/model"
    with pytest.raises(AttcellError, match="is a URL, and this lies on local disks alone"):
        check_recipe(values, source="test")
