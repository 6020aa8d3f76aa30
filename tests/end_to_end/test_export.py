"""``attcell export``, and predictions from its files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import attcell as library
from tests.end_to_end.conftest import Run

ROOT = Path(__file__).parents[2]
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    file = tmp_path_factory.mktemp("exported") / "stan.onnx"
    library.load(model).export(file)  # type: ignore[union-attr]
    return file


@pytest.fixture(scope="module")
def clip(videos: Path) -> Path:
    return sorted(videos.glob("test/*/*.mp4"))[0]


def test_what_is_told(model: Path, tmp_path: Path, attcell: Run, clip: Path) -> None:
    done = attcell("export", model, "stan.onnx", "--video", clip, "--json", "told.json")
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"stan\.onnx: ONNX, opset 20, float32, \d\.\d MB", lines[0])
    assert "  frame                    uint8 B × T × 3 × 64 × 64" in lines
    assert sum("  differs by " in line for line in lines) == 4
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["inputs"] == {"frame": ["B", "T", 3, 64, 64]}
    assert told["outputs"] == [
        "logits", "temporal_scores", "temporal_attention", "spatial_attention.frame"
    ]  # fmt: skip
    assert max(told["parity"].values()) < 1e-4
    assert told["bytes"] == (tmp_path / "stan.onnx").stat().st_size


def test_a_file_predicts_as_its_model(
    exported: Path, model: Path, tmp_path: Path, attcell: Run, clip: Path
) -> None:
    pages, found = [], []
    for name, of in (("model", model), ("file", exported)):
        done = attcell("predict", clip, "--model", of, "--json", f"{name}.json", "--report", f"{name}.html")
        assert not done.stderr.startswith("attcell:")
        (prediction,) = json.loads((tmp_path / f"{name}.json").read_text())["predictions"]
        found.append(prediction)
        pages.append((tmp_path / f"{name}.html").read_text().replace(str(of), "MODEL"))
    _refuse_different(*found)
    texts = [re.sub(r"[-\d.e]+", "0", page) for page in pages]
    assert texts[0] == texts[1]


def _refuse_different(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()  # type: ignore[attr-defined]
        one, other = list(one.values()), list(other.values())  # type: ignore[attr-defined]
    if isinstance(one, list):
        assert len(one) == len(other)  # type: ignore[arg-type]
        for first, second in zip(one, other, strict=True):  # type: ignore[call-overload]
            _refuse_different(first, second)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4)
    else:
        assert one == other


def test_a_file_is_tested_as_its_model(exported: Path, model: Path, attcell: Run, videos: Path) -> None:
    tests = [attcell("test", of, "--data", videos / "test") for of in (model, exported)]
    figures = [re.findall(r"\d+\.\d", done.stdout) for done in tests]
    assert figures[0] == figures[1], tests[0].stdout
    assert figures[0], tests[0].stdout


def test_the_example_runs_without_attcell(exported: Path, tmp_path: Path, clip: Path) -> None:
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(import json.*?)```", text, flags=re.S)
    (tmp_path / "example.py").write_text("import sys; sys.modules['attcell'] = None\n" + example)
    done = subprocess.run(
        [sys.executable, tmp_path / "example.py", exported, clip], capture_output=True, text=True, check=True
    )
    label, segment = done.stdout.strip().split(" at segment ")
    wanted = library.load(exported).predict(clip)
    assert label == wanted.labels[wanted.scores.argmax()]
    assert int(segment) == wanted.segments.temporal_attention.argmax()


class TestBadInput:
    def test_names_that_say_no_format(self, model: Path, attcell: Run) -> None:
        done = attcell("export", model, "stan.bin", status=2)
        assert "stan.bin is to be an exported file: give a name that ends with .onnx, .pt2" in done.stderr
        done = attcell("export", model, "stan.pt2", "--format", "onnx", status=2)
        assert "stan.pt2 is to be onnx: give a name that ends with .onnx" in done.stderr

    def test_a_precision_that_only_onnx_has(self, model: Path, attcell: Run, tmp_path: Path) -> None:
        done = attcell("export", model, "stan.pt2", "--precision", "int8", status=2)
        assert not list(tmp_path.glob("*.pt2"))
        assert "precision int8 is for ONNX; torch_export is float32" in done.stderr

    def test_a_clip_that_cannot_be_read(self, model: Path, attcell: Run, tmp_path: Path) -> None:
        (tmp_path / "broken.mp4").write_bytes(b"nothing")
        done = attcell("export", model, "stan.onnx", "--video", "broken.mp4", status=1)
        assert "broken.mp4" in done.stderr
        assert not (tmp_path / "stan.onnx").exists()

    @pytest.mark.parametrize("content", [b"", b"no ONNX file", b"\x08\x07" * 40])
    def test_files_that_are_none(self, attcell: Run, tmp_path: Path, clip: Path, content: bytes) -> None:
        (tmp_path / "bad.onnx").write_bytes(content)
        done = attcell("predict", clip, "--model", "bad.onnx", status=1)
        assert "bad.onnx cannot be run as an ONNX file" in done.stderr

    def test_a_file_that_is_not_there(self, attcell: Run, clip: Path) -> None:
        done = attcell("predict", clip, "--model", "none.onnx", status=2)
        assert "no model at 'none.onnx': no such file; attcell export writes one" in done.stderr

    def test_detection_wants_a_folder(self, exported: Path, attcell: Run, clip: Path) -> None:
        done = attcell("detect", clip, "--model", exported, status=2)
        assert "detect with a model of kind stan, san or average" in done.stderr
