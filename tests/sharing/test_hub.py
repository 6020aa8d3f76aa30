"""A model goes to the hub and comes back: by a stand-in, by a folder, and by a server on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from attcell.errors import CallError
from attcell.inference.model import Model, load
from attcell.sharing.hub import as_shared, downloaded

SECRET = "hf_SECRET"


def raising(error: Exception) -> type:
    """A hub that refuses."""

    class Hub:
        def __init__(self, token: str | None) -> None:
            assert token == SECRET

        def create_repo(self, *_: object, **__: object) -> None:
            raise error

    return Hub


def refusal(status: int) -> HfHubHTTPError:
    response: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError(f"{status} {SECRET}", response=response)


# The client's own library for HTTP changes with its version.
(OF_HTTP,) = (base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LocalTokenNotFoundError("no token"), "nobody is logged in; run hf auth login"),
        (
            refusal(403),
            "the Hugging Face hub lets nobody write there with this token; run hf auth login with one that "
            "may write, and name yourself or your organisation as OWNER",
        ),
        (refusal(500), "the Hugging Face hub answered 500; try again later"),
        (
            OF_HTTP("no network"),
            "the Hugging Face hub cannot be reached; try again, or see what would go there by attcell push "
            "--dry-run FOLDER",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_without_the_token(model, monkeypatch, error, why) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", raising(error))
    with pytest.raises(CallError) as caught:
        model.push_to_hub("us/stan", token=SECRET)
    assert str(caught.value) == f"us/stan was not uploaded: {why}"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["stan", "us/stan/x", "us stan/x", ""])
def test_what_is_no_id(model, name: str) -> None:
    with pytest.raises(CallError, match=r"is no id at the Hugging Face hub; give OWNER/NAME$"):
        model.push_to_hub(name, token=SECRET)


def test_a_branch_is_made_and_a_card_of_people_stays(model, monkeypatch) -> None:
    done: list[Any] = []

    class Hub:
        def __init__(self, token: str | None) -> None:
            """Any token."""

        def create_repo(self, repo_id: str, **options: object) -> SimpleNamespace:
            done.append(options)
            return SimpleNamespace(repo_id=repo_id)

        def create_branch(self, _: str, **options: object) -> None:
            done.append(options)

        def file_exists(self, *_: object, **__: object) -> bool:
            return True

        def upload_folder(self, folder_path: str, revision: str | None, **_: object) -> str:
            done.append((revision, sorted(path.name for path in Path(folder_path).iterdir())))
            return "there"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert model.push_to_hub("us/stan", revision="v2", private=True) == "there"
    assert done == [
        {"private": True, "exist_ok": True},
        {"branch": "v2", "exist_ok": True},
        ("v2", ["config.json", "model.safetensors"]),
    ]
    model.push_to_hub("us/stan", new_card=True)
    assert "README.md" in done[-1][1]


def test_no_place_of_this_machine_goes_there(model, tmp_path: Path) -> None:
    values = model.recipe.model_dump(mode="json")
    values["data"] |= {"train": "/home/me/videos/train", "test": "https://host/deep/test.txt"}
    values["flow"]["store"] = "/data/flow"
    recipe = as_shared(type(model.recipe).model_validate(values))
    assert (str(recipe.data.train), str(recipe.data.test), recipe.flow.store) == ("train", "test.txt", None)
    changed = Model(model.network, model.labels, recipe, model.training)
    assert changed.push_to_hub("us/stan", dry_run=tmp_path / "dry") == str(tmp_path / "dry")
    written = "".join(path.read_text() for path in (tmp_path / "dry").glob("*.*[nd]"))
    for word in ("/home/me", "host/deep", "/data/flow"):
        assert word not in written
    assert load(tmp_path / "dry").labels == model.labels


@pytest.fixture
def hub(model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that answers as the hub does, with the model as revision v2; what it was asked."""
    model.save_pretrained(tmp_path / "served")
    files = {path.name: path.read_bytes() for path in (tmp_path / "served").iterdir()}
    commit, asked = "c" * 40, list[str]()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            name = self.path.rpartition("/")[2]
            if self.path.startswith("/api/models/us/stan/revision/v2"):
                siblings = [{"rfilename": file} for file in files]
                self._answer(200, json.dumps({"id": "us/stan", "sha": commit, "siblings": siblings}).encode())
            elif self.path.startswith(f"/api/models/us/stan/tree/{commit}"):
                tree = [
                    {"type": "file", "path": file, "oid": hashlib.sha1(of).hexdigest(), "size": len(of)}
                    for file, of in files.items()
                ]
                self._answer(200, json.dumps(tree).encode())
            elif self.path.startswith(f"/us/stan/resolve/{commit}/") and name in files:
                self._answer(200, files[name])
            else:
                code = "RevisionNotFound" if "us/stan" in self.path else "RepoNotFound"
                self._answer(404, b"{}", code)

        def _answer(self, status: int, body: bytes, code: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # as another fixture has it
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.chdir(tmp_path)
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_revision_comes_over_http(hub: list[str], model, tmp_path: Path) -> None:
    found = Model.from_pretrained("us/stan@v2", cache_dir=tmp_path / "cache")
    assert found.labels == model.labels
    assert "/api/models/us/stan/revision/v2" in hub
    with pytest.raises(CallError) as caught:
        downloaded("us/stan", ["config.json"], {"revision": "v9", "cache_dir": tmp_path / "cache"})
    assert str(caught.value) == (
        "no model folder at us/stan, and the Hugging Face hub gives none by this id: it has no revision v9; "
        "give a branch, a tag or a commit of it"
    )
