"""The door for what users name: which text is a URL, what it is called, and what is never shown of it."""

from __future__ import annotations

import pickle
from pathlib import Path, PurePosixPath

import pytest

from attcell._checks import path_of
from attcell._paths import absolute_text, check_output, real_path
from attcell._urls import UrlPath, is_url, joined, path_or_url
from attcell.errors import CallError

CLIP = "s3://videos/train/wave/alice.mp4"


@pytest.mark.parametrize("text", ["clip.mp4", "/videos/a.mp4", "http:a.mp4", "s3:/a", "C:\\videos\\a.mp4"])
def test_what_is_no_url_is_a_path_as_ever(text):
    assert path_or_url(text) == Path(text)
    assert isinstance(path_or_url(text), Path)
    assert not is_url(text)


@pytest.mark.parametrize(
    "url",
    [CLIP, "gs://b/a.mp4", "hf://datasets/owner/set/a.mp4", "https://host:8000/a.mp4", "http://host/a/b.mp4"],
)
def test_a_url_keeps_its_slashes(url):
    found = path_of(url, "video", "clip.mp4")
    assert isinstance(found, UrlPath)
    assert str(found) == found.url == url
    assert is_url(found)
    assert path_or_url(found) is found
    assert found.absolute() == found == real_path(found)
    assert absolute_text(found) == absolute_text(url) == url
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301


def test_its_parts_are_called_as_those_of_a_path():
    clip, as_path = path_or_url(CLIP), PurePosixPath("/videos/train/wave/alice.mp4")
    assert (clip.name, clip.stem, clip.suffix) == (as_path.name, as_path.stem, as_path.suffix)
    assert clip.parts == ("s3://videos/", "train", "wave", "alice.mp4")
    assert str(clip.parent) == "s3://videos/train/wave"
    assert [str(of) for of in clip.parents] == [
        "s3://videos/train/wave", "s3://videos/train", "s3://videos/",
    ]  # fmt: skip
    assert clip.relative_to(path_or_url("s3://videos/train")).as_posix() == "wave/alice.mp4"
    assert clip.is_relative_to(path_or_url("s3://videos"))
    assert not clip.is_relative_to(path_or_url("s3://videos2"))
    assert not clip.is_relative_to(Path("/videos"))
    assert str(clip.with_name("bob.mp4")) == "s3://videos/train/wave/bob.mp4"
    assert str(clip.with_suffix(".npy")) == "s3://videos/train/wave/alice.npy"
    with pytest.raises(ValueError, match=r"alice.mp4 is not below s3://other"):
        clip.relative_to(path_or_url("s3://other"))


def test_names_are_joined():
    folder = path_or_url("s3://videos/train/")
    assert str(folder / "wave" / "a b.mp4") == "s3://videos/train/wave/a b.mp4"
    assert str(folder / "../test/a.mp4") == "s3://videos/test/a.mp4"
    assert str(folder / "../../../a.mp4") == "s3://videos/a.mp4"
    assert folder / "." == folder == folder.joinpath()
    assert folder / "/disk/a.mp4" == Path("/disk/a.mp4")
    assert joined(folder, "https://host/a.mp4") == path_or_url("https://host/a.mp4")
    assert joined(Path("lists"), CLIP) == path_or_url(CLIP)
    assert joined(Path("lists"), "a.mp4") == Path("lists/a.mp4")
    assert sorted([folder / "b", folder / "a", folder / "a" / "c"]) == [
        folder / "a", folder / "a" / "c", folder / "b",
    ]  # fmt: skip


def test_a_list_on_a_server_names_no_file_of_this_machine():
    with pytest.raises(CallError, match=r"/etc/a\.mp4 is a file of this machine, and a list"):
        joined(path_or_url("s3://videos/lists"), "/etc/a.mp4")


def test_a_signature_is_never_shown():
    signed = path_or_url("https://host/wave/a.mp4?X-Amz-Signature=s3cret&X-Amz-Credential=me#at")
    assert signed.url == "https://host/wave/a.mp4?X-Amz-Signature=s3cret&X-Amz-Credential=me"
    for shown in (str(signed), repr(signed), signed.as_posix(), f"{signed}"):
        assert "https://host/wave/a.mp4?…" in shown
        assert "s3cret" not in shown
    assert (signed.name, signed.suffix) == ("a.mp4", ".mp4")
    assert str(signed.parent) == "https://host/wave"
    other = path_or_url("https://host/wave/a.mp4?X-Amz-Signature=other")
    assert other != signed
    assert str(other) != str(signed)  # two videos that a query tells apart


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/a.mp4", "ftp:// is not read; give a local path, or one of s3://, gs://"),
        ("rtsp://host/live", "rtsp:// is not read"),
        ("https:///a.mp4", "a URL has a host or a bucket behind ://"),
        ("https://me:s3cret@host/a.mp4", "https://…@host: a password in a URL would stand in every file"),
        ("s3://key:s3cret@bucket/a.mp4", "s3://…@bucket: a password in a URL"),
    ],
)
def test_urls_that_are_refused(url, said):
    with pytest.raises(CallError) as refused:
        path_or_url(url)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("out", [path_or_url("s3://b/report.html"), Path("s3://b/report.html")])
def test_pages_and_figures_are_written_to_disks(out):
    with pytest.raises(CallError, match=r"s3://b/report\.html: this is written to local disks alone"):
        check_output(out)
