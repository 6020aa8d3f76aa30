"""Videos whose motion is odd, or which have none: predicted, extracted, or refused in one message."""

from __future__ import annotations

import errno
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.video.flow_files import open_flow
from tests.end_to_end.conftest import Run, recipe_values
from tests.moving import moving_frames, write_frames

NONE = {"weights": "none", "conv6_channels": 8}
STREAMS = {
    "frame": {"backbone": "small", **NONE},
    "flow": {"backbone": "small", **NONE},
    "clip": {"backbone": "small3d", **NONE},
}
QUICK = ("--method", "fast", "--workers", "1")


@pytest.fixture(scope="module", params=["early", "late"])
def model(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three streams, with weights drawn at random."""
    values = recipe_values(Path("videos"))
    values["input"], values["segments"] = {"size": 32, "short_side": 36}, {"train": 2, "test": 2}
    values["flow"], values["clip"] = {"fields": 2}, {"frames": 4}
    values["model"] = {"streams": STREAMS, "lstm_hidden": 8, "fusion": request.param}
    recipe = check_recipe(values, source="test")
    network = build_network(recipe, 3, load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    folder = tmp_path_factory.mktemp("streams") / "model"
    Model(network, ("run", "sit", "wave"), recipe).save_pretrained(folder)
    return folder


def textured(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


ODD = {
    "one frame": lambda: moving_frames(1),
    "two frames": lambda: moving_frames(2),
    "black": lambda: [np.zeros((36, 48, 3), np.uint8)] * 6,
    "white": lambda: [np.full((36, 48, 3), 255, np.uint8)] * 6,
    "still": lambda: [textured((48, 36))] * 6,
    "a flash": lambda: [np.full((36, 48, 3), 255 * (n == 3), np.uint8) for n in range(6)],
    "one pixel wide": lambda: moving_frames(5, size=(1, 40)),
    "one pixel high": lambda: moving_frames(5, size=(40, 1)),
    "one pixel": lambda: moving_frames(5, size=(1, 1)),
}
STILL = ("one frame", "black", "white", "still")


@pytest.fixture
def video(request, tmp_path: Path) -> Path:
    return write_frames(tmp_path / "videos" / "run" / "odd.avi", ODD[request.param]())


def numbers(content: Any) -> list[float]:
    """All numbers in what JSON held."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [number for part in content for number in numbers(part)]
    return [content] if isinstance(content, int | float) else []


@pytest.mark.parametrize("video", ODD, indirect=True)
def test_it_is_predicted_with_all_streams(attcell: Run, model, video):
    done = attcell("predict", video, "--model", model, "--json", "-", "--report", "page.html")
    found = json.loads(done.stdout)
    assert np.isfinite(numbers(found)).all()
    assert sum(found["scores"]) == pytest.approx(1, abs=1e-5)
    assert sum(found["temporal_attention"]) == pytest.approx(1, abs=1e-5)
    assert list(found["spatial_attention"]) == list(STREAMS)


@pytest.mark.parametrize("video", [name for name in ODD if name != "one frame"], indirect=True)
def test_its_flow_is_extracted(attcell: Run, video, request, tmp_path):
    done = attcell("extract", "flow", "videos", "flow", *QUICK)
    assert done.stdout == "flow: 1 videos computed, 0 there already, 0 failed\n"
    found = open_flow(tmp_path / "flow" / "run" / "odd")
    codes = found.read(list(range(found.num_fields)))
    with Image.open(found.path / "img_00001.jpg") as picture:
        assert codes.shape[2:] == picture.size[::-1]
    if request.node.callspec.params["video"] in STILL:
        assert (codes == 128).all(), "nothing moves"


@pytest.mark.parametrize("video", ["one frame"], indirect=True)
def test_one_frame_has_no_flow_to_extract(attcell: Run, video, tmp_path):
    write_frames(tmp_path / "videos" / "run" / "two.avi", moving_frames(2))
    done = attcell("extract", "flow", "videos", "flow", *QUICK, status=1)
    assert done.stderr == (
        "attcell: videos/run/odd.avi: the video has 1 frame; flow needs at least 2. Leave it out.\n"
    )
    assert done.stdout == "flow: 1 videos computed, 0 there already, 1 failed\n"
    assert sorted(path.name for path in (tmp_path / "flow" / "run").iterdir()) == ["two"]


class TestFullDisk:
    """Writing fails after some bytes, as on a disk that fills up."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        for name in ("a", "b", "c"):
            write_frames(tmp_path / "videos" / "run" / f"{name}.avi", moving_frames(4))
        return tmp_path / "videos"

    @pytest.fixture
    def fill(self, monkeypatch: pytest.MonkeyPatch):
        """``fill(n)``: after n pictures there is no space left; ``fill(None)``: there is again."""
        left, write = [10**9], Path.write_bytes

        def limited(path: Path, content: bytes) -> int:
            left[0] -= path.suffix == ".jpg"
            if left[0] < 0:
                write(path, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(path, content)

        monkeypatch.setattr(Path, "write_bytes", limited)

        def fill(pictures: int | None) -> None:
            left[0] = 10**9 if pictures is None else pictures

        return fill

    def test_the_videos_before_it_are_whole_and_the_next_run_goes_on(
        self, attcell: Run, source, fill, tmp_path
    ):
        words = ["extract", "flow", "videos", "flow", *QUICK, "--no-frames"]
        fill(9)  # the first video has 6 pictures
        done = attcell(*words, status=1)
        assert done.stderr == "attcell: No space left on device: flow/run/b\n"
        assert done.stdout == ""
        assert [path.name for path in (tmp_path / "flow" / "run").iterdir()] == ["a"]
        fill(None)
        done = attcell(*words)
        assert done.stdout == "flow: 2 videos computed, 1 there already, 0 failed\n"
        for name in "abc":
            assert open_flow(tmp_path / "flow" / "run" / name).num_fields == 3

    def test_a_file_that_may_not_grow(self, attcell: Run, source, tmp_path):
        """The operating system's own refusal, in the middle of a ZIP file."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        words = ["extract", "flow", "videos", "flow", *QUICK, "--form", "zip"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
        try:
            done = attcell(*words, status=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert done.stderr == "attcell: File too large: flow/run/a.zip\n"
        assert list((tmp_path / "flow" / "run").iterdir()) == []
        assert attcell(*words).stdout == "flow: 3 videos computed, 0 there already, 0 failed\n"


def test_frames_that_change_their_size_become_one_size(attcell: Run, model, tmp_path):
    """A stream of JPEG pictures of two sizes."""
    first, second = (tmp_path / "videos" / "run" / name for name in ("a.mjpeg", "b.mjpeg"))
    first.parent.mkdir(parents=True)
    for path, size in ((first, (48, 36)), (second, (64, 64))):
        with path.open("wb") as file:
            for frame in moving_frames(3, size=size):
                Image.fromarray(frame).save(file, "JPEG")
    first.write_bytes(first.read_bytes() + second.read_bytes())
    second.unlink()
    done = attcell("predict", first, "--model", model, "--json", "-")
    found = json.loads(done.stdout)
    assert np.isfinite(numbers(found)).all()
    done = attcell("extract", "flow", "videos", "flow", *QUICK)
    flow = open_flow(tmp_path / "flow" / "run" / "a")
    assert flow.read(list(range(5))).shape == (5, 2, 36, 48)
    assert done.stderr == (
        "attcell: run/a.mjpeg: some frames have another size (64x64); all are brought to the first frame's\n"
    )
