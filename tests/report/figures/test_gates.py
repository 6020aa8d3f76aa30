"""The sharing gates as a picture and in words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError
from attcell.report.figures.gates import gates_picture, gates_words
from attcell.report.figures.paper import write_pictures
from attcell.report.page.page import write_report
from attcell.report.page.timeline import clock
from tests.report.conftest import fake_prediction


def with_gates(num_segments=4):
    rng = np.random.default_rng(0)
    gates = {name: rng.dirichlet(np.ones(num_segments), num_segments).T for name in ("frame", "flow")}
    return fake_prediction(
        num_segments, streams=(), gates=gates,
        temporal_attention_by_stream={name: columns[:, -1] for name, columns in gates.items()},
        temporal_attention=(gates["frame"][:, -1] + gates["flow"][:, -1]) / 2,
        stream_weights={"frame": 0.5, "flow": 0.5},
    )  # fmt: skip


@pytest.mark.parametrize("num_segments", [1, 4, 25])
def test_the_picture_holds_both_maps(tmp_path, num_segments):
    gates_picture(with_gates(num_segments), tmp_path / "gates.png")
    with Image.open(tmp_path / "gates.png") as picture:
        assert picture.width > 900
        assert picture.height > 450


def test_the_strongest_weight_is_the_darkest_cell(tmp_path):
    gates = np.full((4, 4), 0.02)
    gates[1] = 0.94
    prediction = replace(with_gates(), gates={"frame": gates, "flow": np.full((4, 4), 0.25)})
    gates_picture(prediction, tmp_path / "gates.png")
    pixels = np.asarray(Image.open(tmp_path / "gates.png").convert("RGB")).astype(int)
    dark = (np.abs(pixels - (127, 39, 4)).sum(axis=2) < 30).sum()  # the end of matplotlib's Oranges
    assert dark > 4 * 50 * 100


def test_the_words_name_what_counts_for_the_last_step():
    prediction = with_gates()
    gates = prediction.gates["frame"]
    found = gates_words(prediction)
    at = clock(float(prediction.frame_seconds[gates[:, -1].argmax()]))
    assert f"For the flow branch's last step the frame branch's step at {at} counts most" in found
    assert found.count("counts most") == 2
    assert f"{gates[:, -1].max():.3f}" in found


def test_without_gates_there_is_no_picture(tmp_path):
    with pytest.raises(CallError, match="the prediction has no sharing gates; only TAN has them"):
        gates_picture(fake_prediction(), tmp_path / "gates.png")
    with pytest.raises(CallError, match=re.escape("gates['frame'] has shape (3, 4)")):
        gates_picture(replace(with_gates(), gates={"frame": np.full((3, 4), 1 / 3)}), tmp_path / "gates.png")
    assert not list(tmp_path.iterdir())


def test_pictures_of_a_tan_are_its_gates(tmp_path):
    write_pictures([with_gates(), fake_prediction(video="other.mp4")], tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["other-attention.png", "other-mean.png", "some video-gates.png"]


def test_the_page_shows_the_gates_and_speaks_of_no_regions(tmp_path):
    write_report([with_gates()], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'class="gates" src="data:image/png;base64,' in page
    assert "Sharing gates" in page
    assert "each branch's gates for the other's last step" in page
    assert "The curve shows <em>when</em>" in page
    assert "with its attention" not in page
    assert "the frame that stands for each segment</small>" in page
    write_report([fake_prediction()], tmp_path / "other.html")
    assert "Sharing gates" not in (tmp_path / "other.html").read_text()
