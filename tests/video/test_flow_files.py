"""Flow on disk: written whole, read as others write it, refused with a reason."""

from __future__ import annotations

import errno
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell._owners import remove_left_overs, temporary_in
from attcell.errors import DataError
from attcell.video import flow_files
from attcell.video.flow_files import (
    DESCRIPTION,
    jpeg,
    new_flow_folder,
    new_flow_zip,
    open_flow,
    read_description,
)
from tests.conftest import left_over


def field(number, axis, size=(8, 10)):
    return np.full(size, 100 + 10 * number + (axis == "y"), np.uint8)


def write_fields(target, numbers=range(1, 4), prefix="flow_{}"):
    for number in numbers:
        for axis in "xy":
            target.write(f"{prefix.format(axis)}_{number:05d}.jpg", jpeg(field(number, axis)))


@pytest.fixture(params=["folder", "zip"])
def make(request, tmp_path):
    """``with make() as (path, target)``: a new store of one video."""

    def new():
        if request.param == "folder":
            return tmp_path / "a", new_flow_folder(tmp_path / "a")
        return tmp_path / "a.zip", new_flow_zip(tmp_path / "a.zip")

    return new


def test_what_was_written_is_read(make):
    path, opened = make()
    with opened as target:
        write_fields(target)
        target.write(DESCRIPTION, json.dumps({"bound": 20}).encode())
    found = open_flow(path)
    assert (found.num_fields, found.first_number, found.description) == (3, 1, {"bound": 20})
    codes = found.read([2, 0])
    assert codes.shape == (2, 2, 8, 10)
    assert codes[:, :, 0, 0].tolist() == [[130, 131], [110, 111]]
    assert found.read([]).shape[0] == 0


def test_nothing_is_there_after_an_error(make, tmp_path):
    path, opened = make()

    def fail():
        with opened as target:
            write_fields(target)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fail()
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
    assert not path.exists()


def test_two_processes_at_once_leave_what_one_leaves(make):
    (path, first), (_, second) = make(), make()
    with first as one, second as other:
        for target in (one, other):
            write_fields(target)
    assert open_flow(path).num_fields == 3
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_is_read_only_is_told_by_the_name_of_the_flow(tmp_path, monkeypatch):
    def refuses(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with new_flow_folder(tmp_path / "b") as target:
        write_fields(target)
    monkeypatch.setattr(Path, "write_bytes", refuses)
    with pytest.raises(OSError, match="Read-only") as caught, new_flow_folder(tmp_path / "a") as target:
        write_fields(target)
    assert caught.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_new_one_replaces_the_old_and_what_was_left_over(make, tmp_path):
    for last in (3, 2):
        left_over(tmp_path, "a").mkdir()
        left_over(tmp_path, "a", ".zip").touch()
        path, opened = make()
        with opened as target:
            write_fields(target, range(1, last + 1))
        assert open_flow(path).num_fields == last
        assert list(tmp_path.iterdir()) == [path]


def test_what_others_are_writing_beside_it_stays(make, tmp_path):
    others = [temporary_in(tmp_path, name) for name in ("a.b", "ab", "a]", "a.0123456", "a")]
    for other in others:
        other.mkdir()
    path, opened = make()
    with opened as target:
        write_fields(target)
    assert sorted(tmp_path.iterdir()) == sorted([*others, path])


@pytest.mark.parametrize("name", ["a[1]", "*", "a?"])
def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path, name):
    left_over(tmp_path, name).mkdir()
    (other := temporary_in(tmp_path, "a1")).mkdir()
    with new_flow_folder(tmp_path / name) as target:
        write_fields(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, other.name])


def test_another_tool_reads_it(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        write_fields(target)
        target.write("img_00001.jpg", jpeg(np.zeros((8, 10, 3), np.uint8)))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "flow_x_00001.jpg", "flow_x_00002.jpg", "flow_x_00003.jpg",
        "flow_y_00001.jpg", "flow_y_00002.jpg", "flow_y_00003.jpg", "img_00001.jpg",
    ]  # fmt: skip
    with Image.open(tmp_path / "a" / "flow_x_00002.jpg") as picture:
        assert (picture.mode, picture.size) == ("L", (10, 8))
        assert np.asarray(picture).tolist() == field(2, "x").tolist()


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("digits", [4, 5, 6])
def test_other_numberings_are_read(tmp_path, first, digits):
    for number in range(first, first + 3):
        for axis in "xy":
            Image.fromarray(field(number, axis)).save(tmp_path / f"flow_{axis}_{number:0{digits}d}.jpg")
    found = open_flow(tmp_path)
    assert (found.first_number, found.num_fields, found.description) == (first, 3, None)
    assert found.read([0])[0, 0, 0, 0] == 100 + 10 * first


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no flow_x_00001.jpg or alike"),
        (["img_00001"], "no flow_x_00001.jpg or alike"),
        (["flow_x_00001", "flow_y_00001", "flow_x_00003", "flow_y_00003"],
         "flow is missing: flow_x_00002, flow_y_00002; compute it again"),
        (["flow_x_00001", "flow_y_00001", "flow_x_00002"], "flow is missing: flow_y_00002;"),
        (["flow_x_00001", "flow_y_00001", "flow_y_00002"], "flow is missing: flow_x_00002;"),
        (["flow_x_00002", "flow_y_00002"], "the first flow is number 2; allowed: 0 or 1"),
        (["flow_x_p2_00001", "flow_y_p2_00001"], "flow_._p2_00001.jpg is flow over 2 frames"),
        (["flow_x_00001", *(f"flow_{a}_00009" for a in "xy")], "and 10 more"),
        (["flow_x_00001", "flow_y_00001", "flow_x_1"], r"flow_x_0*1.jpg have one number; keep those"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(tmp_path, names, message):
    for name in names:
        Image.fromarray(field(1, "x")).save(tmp_path / f"{name}.jpg")
    with pytest.raises(DataError, match=message):
        open_flow(tmp_path)


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a folder or a ZIP file of flow"):
        open_flow(tmp_path / "none")
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a folder or a ZIP file of flow"):
        open_flow(tmp_path / "a.zip")


def test_an_index_out_of_range_is_refused(make):
    path, opened = make()
    with opened as target:
        write_fields(target)
    with pytest.raises(DataError, match="has 3 flow fields, counted from 0; there is no 3"):
        open_flow(path).read([0, 3])
    with pytest.raises(DataError, match="there is no -1"):
        open_flow(path).read([-1])


def test_a_damaged_picture_is_named(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        write_fields(target)
    (tmp_path / "a" / "flow_y_00002.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"flow_y_00002.jpg cannot be read \(it is no picture\); compute"):
        open_flow(tmp_path / "a").read([1])


def test_fields_of_several_sizes_are_refused(tmp_path):
    with new_flow_folder(tmp_path / "a") as target:
        write_fields(target, [1])
        for axis in "xy":
            target.write(f"flow_{axis}_00002.jpg", jpeg(field(2, axis, (6, 6))))
    with pytest.raises(DataError, match=r"several sizes \(height, width\): \[\(6, 6\), \(8, 10\)\]"):
        open_flow(tmp_path / "a").read([0, 1])


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_damaged_description_is_refused(tmp_path, content):
    with new_flow_zip(tmp_path / "a.zip") as target:
        target.write(DESCRIPTION, content)
    with pytest.raises(DataError, match=r"flow.json (cannot be read|holds no description)"):
        read_description(tmp_path / "a.zip")


def test_a_zip_is_stored_not_packed(tmp_path):
    with new_flow_zip(tmp_path / "a.zip") as target:
        write_fields(target)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_zip_file_is_opened_once_for_many_fields(tmp_path, monkeypatch):
    with new_flow_zip(tmp_path / "a.zip") as target:
        write_fields(target)
    found = open_flow(tmp_path / "a.zip")
    openings = []
    original = zipfile.ZipFile.__init__
    monkeypatch.setattr(
        zipfile.ZipFile, "__init__", lambda *args, **kw: (openings.append(1), original(*args, **kw))[1]
    )
    found.read([0, 1, 2])
    assert len(openings) == 1


# Files of strangers


def packed(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def test_what_unpacks_to_very_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(flow_files, "_MOST_BYTES", 1 << 20)
    bomb = bytes(5 << 20)
    path = packed(tmp_path / "a.zip", {"flow_x_00001.jpg": bomb, "flow_y_00001.jpg": bomb})
    with pytest.raises(
        DataError, match=r"flow_x_00001.jpg cannot be read \(it unpacks to 5 MiB, and at most 1 are"
    ):
        open_flow(path).read([0])
    path = packed(tmp_path / "b.zip", {DESCRIPTION: bomb})
    with pytest.raises(DataError, match=r"flow.json cannot be read .it unpacks to 5 MiB"):
        read_description(path)


def test_names_that_lead_out_of_a_zip_are_passed_over(tmp_path):
    picture = jpeg(np.full((8, 10), 90, np.uint8))
    good = {"flow_x_00001.jpg": picture, "flow_y_00001.jpg": picture}
    out = {f"{place}flow_x_00002.jpg": b"evil" for place in ("../", "/tmp/", "..\\", "C:\\", "a/../../")}
    (tmp_path / "in").mkdir()
    path = packed(tmp_path / "in" / "a.zip", {**good, **out})
    assert open_flow(path).read([0]).shape == (1, 2, 8, 10)
    assert sorted(of.name for of in tmp_path.rglob("*")) == ["a.zip", "in"]


def test_only_jpeg_and_png_are_pictures(tmp_path):
    script = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 10\n(/tmp/evil) (w) file closefile showpage\n%%EOF\n"
    )
    for axis in "xy":
        (tmp_path / f"flow_{axis}_00001.jpg").write_bytes(script)
    with pytest.raises(DataError, match=r"flow_x_00001.jpg cannot be read \(it is no picture\)"):
        open_flow(tmp_path).read([0])


def test_a_picture_of_a_bombs_size_is_refused(tmp_path):
    head = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    chunks = [head, b"IDAT" + zlib.compress(bytes(1000)), b"IEND"]
    parts = [struct.pack(">I", len(of) - 4) + of + struct.pack(">I", zlib.crc32(of)) for of in chunks]
    for axis in "xy":
        (tmp_path / f"flow_{axis}_00001.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(DataError, match=r"flow_x_00001.png cannot be read .*decompression bomb"):
        open_flow(tmp_path).read([0])


def test_an_encrypted_zip_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"flow_x_00001.jpg": b"1", "flow_y_00001.jpg": b"2"})
    content = bytearray(path.read_bytes())
    for head, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = content.index(head)
        content[start + place] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"flow_x_00001.jpg cannot be read .*encrypted"):
        open_flow(path).read([0])


def test_a_link_in_the_place_of_flow_is_replaced_and_its_target_stays(make, tmp_path):
    path, opened = make()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.txt").write_text("mine")
    path.symlink_to(precious)
    left_over(tmp_path, "a").symlink_to(precious)
    with opened as target:
        write_fields(target)
    assert not path.is_symlink()
    assert open_flow(path).num_fields == 3
    assert [of.name for of in precious.iterdir()] == ["a.txt"]
    assert sorted(of.name for of in tmp_path.iterdir()) == sorted([path.name, "precious"])


def test_flow_of_a_name_as_long_as_names_may_be(tmp_path):
    for name in ("n" * 250, "\u00e9" * 125):
        with new_flow_folder(tmp_path / name) as target:
            target.write("a.txt", b"a")
        with new_flow_zip(tmp_path / f"{name}.zip") as target:
            target.write("a.txt", b"a")
        left_over(tmp_path, name[:100]).mkdir()
        remove_left_overs(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []


@pytest.mark.parametrize("number", ["99999999999", "9" * 5000])
def test_a_number_without_end_is_told_at_once(tmp_path, number):
    picture = jpeg(np.full((8, 10), 90, np.uint8))
    names = {f"flow_{axis}_{of}.jpg": picture for axis in "xy" for of in ("00001", number)}
    path = packed(tmp_path / "a.zip", names)
    if len(number) > 12:  # no name of flow
        assert open_flow(path).num_fields == 1
        return
    with pytest.raises(
        DataError, match=r"flow is missing: flow_x_00002, .*flow_x_00004 and 199999999989 more"
    ):
        open_flow(path)


def test_a_zip_that_zipfile_fails_on_in_its_own_way_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"flow_x_00001.jpg": b"1", "flow_y_00001.jpg": b"2"})
    path.write_bytes(
        path.read_bytes().replace(b"flow_x", b"\xff\xff\xff\xff_x").replace(b"\x14\0\0\0", b"\x14\0\0\x08")
    )
    with pytest.raises(DataError, match=r"a\.zip: not a folder or a ZIP file of flow \('utf-8' codec"):
        open_flow(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for axis in "xy":
            archive.writestr(f"flow_{axis}_00001.jpg", b"some bytes")
    path.write_bytes(path.read_bytes().replace(b"]\0\0\x80\0", b"\xff\0\0\x80\0"))
    with pytest.raises(DataError, match=r"flow_x_00001\.jpg cannot be read \(.*; compute the flow again"):
        open_flow(path).read([0])
