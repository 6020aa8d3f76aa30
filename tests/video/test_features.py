"""Features that were computed elsewhere: what a file may hold, and which row a frame gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.errors import CallError, VideoError
from attcell.video import count_frames, read_frames
from attcell.video._passes import promised_frames
from attcell.video.features import FeatureRows, FeaturesInput, features_beside, features_of, open_features
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.parts import DenseSampling, ViewParts
from attcell.video.readers import Origin
from attcell.video.sampling import ViewPlan, centre_frames
from attcell.video.transforms import Crop
from tests.video.conftest import write_video

ROWS = np.arange(24, dtype=np.float32).reshape(8, 3)
GIVEN = InputSpec(("features",), features=FeaturesInput(dim=3, fps=25, stride=10))


def saved(folder: Path, array: np.ndarray, name: str = "a.npy") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=True)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(VideoError) as caught:
        open_features(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [(8, 3), (1, 8, 3), (8, 1, 3)])
def test_shapes_and_types_that_are_rows(tmp_path, dtype, shape):
    path = saved(tmp_path, ROWS.reshape(shape).astype(dtype))
    rows = open_features(path)
    assert isinstance(rows, np.memmap)
    np.testing.assert_array_equal(rows, ROWS)
    found = features_of(GIVEN.features, path).at(np.array([7, 0]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ROWS[[7, 0]])


def test_rows_in_fortrans_order(tmp_path):
    np.testing.assert_array_equal(open_features(saved(tmp_path, np.asfortranarray(ROWS))), ROWS)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (ROWS.astype(object), "it holds pickled Python objects, which are not read; save a plain array of T"),
        (ROWS.astype(np.int64), "numbers of type int64; allowed are float16, float32 and float64"),
        (ROWS > 3, "numbers of type bool"),
        (ROWS[:0], "an array of shape (0, 3), in which there is no row; leave the video out"),
        (ROWS[:, :0], "an array of shape (8, 0), in which"),
        (
            ROWS[0],
            "an array of shape (3,); expected are T rows of D numbers, (T, D), or (1, T, D) or (T, 1, D)",
        ),
        (np.stack([ROWS, ROWS]), "an array of shape (2, 8, 3); expected are T rows"),
    ],
)
def test_arrays_that_are_none(tmp_path, array, said):
    assert said in refusal(saved(tmp_path, array))


def test_files_that_are_none(tmp_path):
    assert "no such features file; check the path, or leave the video out" in refusal(tmp_path / "lost.npy")
    path = tmp_path / "a.npy"
    path.write_bytes(b"")
    assert "no array in NumPy's format" in refusal(path)
    path.write_text("a text of some length")
    assert "no array in NumPy's format" in refusal(path)
    np.savez(tmp_path / "b", ROWS)
    assert "no array in NumPy's format" in refusal((tmp_path / "b.npz").rename(tmp_path / "b.npy"))
    whole = saved(tmp_path, ROWS).read_bytes()
    path.write_bytes(whole[:-4])
    assert "the file is cut off" in refusal(path)
    path.write_bytes(whole.replace(b"), }", b"(((("))
    assert "no array in NumPy's format" in refusal(path)
    (tmp_path / "c.npy").mkdir()
    assert "no array in NumPy's format" in refusal(tmp_path / "c.npy")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 5)}\n", "the file is cut off"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (2**61, 8)}\n", "no array in NumPy's format"),
        (f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**61}, 8)}}\n".encode(), "is cut off"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}\n", "in which there is no row"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -4)}\n", "in which there is no row"),
        (b"-" * 9000, "no array in NumPy's format"),
        (b"(" * 9000, "no array in NumPy's format"),
        (b"-" * 60_000, "no array in NumPy's format"),
        (b" 1\n  2\n 3", "no array in NumPy's format"),
    ],
    ids=[
        "long",
        "no number",
        "overflow",
        "negative",
        "both negative",
        "minuses",
        "brackets",
        "long header",
        "indents",
    ],
)
def test_a_header_that_lies(tmp_path, head, said):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    assert said in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_in_32_bits(tmp_path, bad):
    rows = ROWS.astype(np.float64)
    rows[5, 1] = bad
    path = saved(tmp_path, rows)
    said = f"{path}: row 5, counted from 0, holds NaN or something too large for 32 bits"
    with pytest.raises(VideoError, match="row 5, counted from 0") as caught:
        count_frames(path)
    assert str(caught.value).startswith(said)
    with np.errstate(over="ignore"), pytest.raises(VideoError, match="row 5, counted from 0"):
        features_of(GIVEN.features, path).at(np.array([5]))


def test_rows_are_the_frames_of_a_video(tmp_path):
    path = saved(tmp_path, ROWS)
    info = count_frames(path)
    assert (info.num_frames, info.size, info.notes) == (8, (3, 1), ())
    assert promised_frames(path) == 8
    decoded = read_frames(path, lambda num: np.arange(num - 1, -1, -2), row_seconds=0.5)
    assert decoded.indices.tolist() == [7, 5, 3, 1]
    assert decoded.info.frame_seconds.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    assert decoded.info.end_seconds == 4
    with pytest.raises(CallError, match="a part of the frames can be had of a folder of frames alone"):
        count_frames(path, frames=range(2))


def test_segments_get_rows_by_the_rules_of_frames(tmp_path):
    path = saved(tmp_path, ROWS)
    sampled, info = read_sampled_frames(path, GIVEN, lambda num: centre_frames(num, 3))
    seen = resize_frames(sampled, GIVEN, sampled.size, GIVEN.readers(Origin(path)))
    expected = ROWS[[1, 4, 6]]
    for crop in (Crop(0, 0), Crop(0, 0, mirrored=True)):  # nothing is cut, and nothing mirrored
        np.testing.assert_array_equal(seen.view(crop)["features"][:, :, 0, 0], expected)
    assert info.end_seconds == pytest.approx(8 * 0.4)
    (part,) = ViewParts(path, GIVEN, ViewPlan(3, num_positions=2))
    assert part.views["features"].shape == (2, 3, 3, 1, 1)
    np.testing.assert_array_equal(part.views["features"][0, :, :, 0, 0], ROWS[[0, 3, 6]])


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5))
def test_a_long_video_gives_one_row_every_so_many(tmp_path_factory, num, every, at_once):
    rows = np.arange(3 * num, dtype=np.float32).reshape(num, 3)
    path = saved(tmp_path_factory.mktemp("rows"), rows)
    sampling, reader = DenseSampling(path, GIVEN, every, at_once), GIVEN.readers(Origin(path))
    seen = [resize_frames(of, GIVEN, of.size, reader).view(Crop(0, 0))["features"] for of in sampling]
    np.testing.assert_array_equal(np.concatenate(seen)[:, :, 0, 0], rows[::every])
    assert sampling.info.end_seconds == pytest.approx(num * 0.4)


def test_other_widths_are_refused(tmp_path):
    path = saved(tmp_path, ROWS.T)
    with pytest.raises(VideoError) as caught:
        features_of(GIVEN.features, path)
    assert str(caught.value) == (
        f"{path} has rows of 8 numbers, and the recipe's features have 3; it may be turned, (D, T); set "
        "features.dim, or leave the video out"
    )


# Beside the videos


def test_a_frame_gets_the_row_of_its_time():
    rows = FeatureRows(Path("a.npy"), ROWS, rows_a_frame=1 / 10)
    assert rows.at(np.array([0, 9, 10, 79, 85, 99]))[:, 0].tolist() == [0, 0, 3, 21, 21, 21]


@given(st.integers(1, 400), st.integers(1, 400))
def test_the_length_may_differ_by_5_rows_or_5_percent(num_rows, wanted):
    rows = FeatureRows(Path("a.npy"), np.zeros((num_rows, 3)), rows_a_frame=1 / 10)
    if abs(num_rows - wanted) <= max(5, 0.05 * wanted):
        rows.refuse_other_length(10 * wanted)
        return
    with pytest.raises(VideoError) as caught:
        rows.refuse_other_length(10 * wanted)
    assert str(caught.value) == (
        f"a.npy has {num_rows} rows, and its video asks for {wanted:.1f}; 5 rows or 5% may be missing or too "
        "many. Set features.fps and features.stride to what they were computed with, or compute them again"
    )


def test_they_are_found_in_the_place_that_the_video_has(tmp_path):
    video = tmp_path / "videos" / "wave" / "a.b.mp4"
    with pytest.raises(VideoError, match=r"holds no features of .*: no a\.b\.npy, neither there nor in"):
        features_beside(tmp_path / "given", video)
    alone = saved(tmp_path / "given", ROWS, "a.b.npy")
    assert features_beside(tmp_path / "given", video) == alone
    own = saved(tmp_path / "given" / "wave", ROWS, "a.b.npy")
    assert features_beside(tmp_path / "given", video) == own


def test_frames_and_features_of_one_video(tmp_path):
    video = write_video(tmp_path / "a.mp4", 80, size=(48, 36))
    saved(tmp_path / "given", ROWS)
    features = FeaturesInput(dim=3, fps=25, stride=10, folder=tmp_path / "given")
    spec = InputSpec(("frame", "features"), features=features)
    (part,) = ViewParts(video, spec, ViewPlan(4, num_crops=10))
    assert part.views["frame"].shape == (10, 4, 3, 224, 224)
    for crop in part.views["features"]:
        np.testing.assert_array_equal(crop[:, :, 0, 0], ROWS[[1, 3, 5, 7]])
    saved(tmp_path / "given", ROWS[:2])
    with pytest.raises(VideoError, match=r"has 2 rows, and its video asks for 8\.0; 5 rows or 5% may"):
        list(ViewParts(video, spec, ViewPlan(4)))
    with pytest.raises(VideoError, match=r"wants a file of features such as a\.npy in the video's place"):
        list(ViewParts(video, GIVEN, ViewPlan(4)))


def test_pictures_are_not_seen_in_features(tmp_path):
    path = saved(tmp_path, ROWS)
    with pytest.raises(VideoError, match="holds features, and the streams are frame, some of which look at"):
        list(ViewParts(path, InputSpec(), ViewPlan(4)))


def test_a_header_of_python_2_is_read_without_a_word(tmp_path, recwarn):
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8L, 3L)}\n"
    content = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + ROWS.tobytes()
    (tmp_path / "a.npy").write_bytes(content)
    np.testing.assert_array_equal(open_features(tmp_path / "a.npy"), ROWS)
    assert [str(of.message) for of in recwarn] == []
