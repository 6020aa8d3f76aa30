"""Flow around frame indices: computed, or read from a store that belongs to the video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.errors import DataError, VideoError
from attcell.flow import dequantize, grey, quantize, tvl1
from attcell.video.flow_files import DESCRIPTION, jpeg, new_flow_folder, new_flow_zip
from attcell.video.flow_source import ComputedFlow, FlowInput, check_store, flow_files_of, source_of
from attcell.video.optical_flow import FlowSpec

PICTURES = torch.randint(
    0, 256, (3, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
PAIRS = np.array([[4, 5], [5, 5], [5, 6]])
ROWS = PAIRS - 4


def fill(target, num_fields, size=(20, 24), first=1, description=None):
    for number in range(num_fields):
        for axis, offset in (("x", 10), ("y", 0)):
            picture = np.full(size, 128 + offset + number, np.uint8)
            target.write(f"flow_{axis}_{first + number:05d}.jpg", jpeg(picture))
    if description is not None:
        target.write(DESCRIPTION, json.dumps(description).encode())


def test_computed_flow_is_that_of_the_pictures():
    codes = ComputedFlow(FlowSpec("fast", 20.0)).codes(PAIRS, ROWS, PICTURES)
    pictures = grey(PICTURES)
    expected = quantize(tvl1(pictures[[0, 1]], pictures[[1, 2]], "fast"), 20)
    assert torch.equal(codes[[0, 2]], expected)
    assert (codes[1] == 128).all(), "a frame does not move against itself"


def test_flow_of_smaller_frames_is_measured_in_the_size_it_gets():
    x = torch.arange(160) - torch.tensor([[0], [4]])
    waves = 128 + 60 * torch.sin(x[:, None] / 7) + 40 * torch.cos(torch.arange(96)[None, :, None] / 9)
    pictures = waves.round().to(torch.uint8)[:, None].expand(2, 3, 96, 160)
    pair = np.array([[0, 1]])
    seen = {
        side: dequantize(ComputedFlow(FlowSpec("fast", 20.0, side)).codes(pair, pair, pictures), 20.0)
        for side in (None, 48, 500)
    }
    assert torch.equal(seen[500], seen[None]), "frames are never scaled up"
    inside = seen[48][0, :, 16:-16, 16:-16]
    assert inside.shape == (2, 64, 128)
    torch.testing.assert_close(inside.mean((1, 2)), torch.tensor([4.0, 0.0]), atol=0.3, rtol=0)


@pytest.mark.parametrize(("opened", "name"), [(new_flow_folder, "a"), (new_flow_zip, "a.zip")])
@pytest.mark.parametrize("first", [0, 1])
def test_stored_flow_is_taken_as_it_is(tmp_path, opened, name, first):
    (tmp_path / "wave").mkdir()
    with opened(tmp_path / "wave" / name) as target:
        fill(target, 8, first=first)
    source = source_of(FlowInput(store=tmp_path), Path("videos/wave/a.mp4"))
    codes = source.codes(PAIRS, ROWS, PICTURES)
    assert codes[:, :, 3, 3].tolist() == [[142, 132], [128, 128], [143, 133]]


def test_flow_grows_with_the_picture(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 8, size=(10, 8))
    codes = source_of(FlowInput(store=tmp_path), Path("a.avi")).codes(PAIRS, ROWS, PICTURES)
    kept = dequantize(torch.tensor([142, 132], dtype=torch.uint8), 20.0)
    torch.testing.assert_close(
        dequantize(codes[0, :, 5, 5], 20.0), kept * torch.tensor([3.0, 2.0]), atol=0.08, rtol=0
    )


def test_without_a_store_or_a_name_it_is_computed(tmp_path):
    assert isinstance(source_of(FlowInput(store=tmp_path)), ComputedFlow)
    assert isinstance(source_of(FlowInput(), Path("a.mp4")), ComputedFlow)


def test_a_store_of_several_splits_is_told_apart_by_folders(tmp_path):
    for split, num_fields in (("train", 5), ("test", 7)):
        (tmp_path / split / "wave").mkdir(parents=True)
        with new_flow_folder(tmp_path / split / "wave" / "a") as target:
            fill(target, num_fields)
    found = [flow_files_of(tmp_path, Path(f"videos/{split}/wave/a.mp4")) for split in ("train", "test")]
    assert [files.num_fields for files in found] == [5, 7]


def test_a_folder_and_a_zip_of_one_video_are_refused(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 5)
    with new_flow_zip(tmp_path / "a.zip") as target:
        fill(target, 7)
    with pytest.raises(DataError, match=r"a and .*a\.zip are both flow of a\.mp4; remove one of them"):
        flow_files_of(tmp_path, Path("a.mp4"))


def test_flow_of_another_video_is_refused(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 5)
    source = source_of(FlowInput(store=tmp_path), Path("a.mp4"))
    with pytest.raises(VideoError, match="has 5 flow fields, and the video needs field 5, counted from 0"):
        source.codes(PAIRS, ROWS, PICTURES)


def test_a_video_that_the_store_lacks_is_named(tmp_path):
    with pytest.raises(DataError, match=r"holds no flow of wave/b\.mp4: neither a folder b nor b\.zip"):
        flow_files_of(tmp_path, Path("wave/b.mp4"))
    with pytest.raises(VideoError, match=r"holds no flow of wave/b\.mp4"):
        source_of(FlowInput(store=tmp_path), Path("wave/b.mp4"))


@pytest.mark.parametrize(
    ("made_by", "said"),
    [
        (
            {"source": "abc", "method": "paper", "bound": 20.0},
            r"method 'paper', not 'fast'\. Set flow\.method",
        ),
        ({"source": "abc", "method": "fast", "bound": 15}, r"bound 15, not 20\.0"),
        (
            {"source": "abc", "method": "fast", "bound": 20.0, "camera": "median"},
            r"camera 'median', not 'keep'\. Set .*flow\.camera",
        ),
        ({"source": "other", "method": "fast", "bound": 20.0}, r"is the flow of another file than a\.mp4"),
    ],
)
def test_a_store_by_another_recipe_is_refused(tmp_path, made_by, said):
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 5, description=made_by)
    with pytest.raises(DataError, match=said):
        check_store(FlowInput(store=tmp_path), Path("a.mp4"), lambda: "abc")


def test_a_store_of_another_size_is_refused_where_one_is_given(tmp_path):
    described = {"source": "abc", "method": "fast", "bound": 20.0, "short_side": 256}
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 5, description=described)
    check_store(FlowInput(store=tmp_path), Path("a.mp4"), lambda: "abc")
    check_store(FlowInput(FlowSpec(short_side=256), store=tmp_path), Path("a.mp4"), lambda: "abc")
    with pytest.raises(
        DataError, match=r"short_side 256, not 56\. Set flow\.method, flow\.bound, flow\.short_side and fl"
    ):
        check_store(FlowInput(FlowSpec(short_side=56), store=tmp_path), Path("a.mp4"), lambda: "abc")


def test_the_camera_s_motion_is_out_of_a_store_that_says_so_alone(tmp_path):
    described = {"source": "abc", "method": "fast", "bound": 20.0}
    for name, description in (("a", {**described, "camera": "median"}), ("b", described), ("c", None)):
        with new_flow_folder(tmp_path / name) as target:
            fill(target, 5, description=description)
    wanted = FlowInput(FlowSpec(camera="median"), store=tmp_path)
    check_store(wanted, Path("a.mp4"), lambda: "abc")
    with pytest.raises(DataError, match="b was made by another recipe: camera 'keep', not 'median'"):
        check_store(wanted, Path("b.mp4"), lambda: "abc")
    with pytest.raises(
        DataError, match=r"c does not say whether the camera's motion .*; set flow\.camera to k"
    ):
        check_store(wanted, Path("c.mp4"), lambda: "abc")
    with pytest.raises(VideoError, match="c does not say whether"):
        source_of(wanted, Path("c.mp4"))


def test_a_store_by_this_recipe_or_of_another_tool_is_taken(tmp_path):
    for name, description in (("a", {"source": "abc", "method": "fast", "bound": 20.0}), ("b", None)):
        with new_flow_folder(tmp_path / name) as target:
            fill(target, 5, description=description)
        check_store(FlowInput(store=tmp_path), Path(f"{name}.mp4"), lambda: "abc")


def test_a_store_of_an_older_format_is_refused(tmp_path):
    described = {"format": 0, "source": "abc", "method": "fast", "bound": 20.0}
    with new_flow_folder(tmp_path / "a") as target:
        fill(target, 5, description=described)
    with pytest.raises(DataError) as caught:
        check_store(FlowInput(store=tmp_path), Path("a.mp4"), lambda: "abc")
    assert str(caught.value) == (
        f"{tmp_path / 'a'} is flow of another attcell (format 0, and this one reads format 1); "
        "compute it again with attcell extract flow --rebuild"
    )
