"""Lists that say classes by their names, and CSV."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attcell.data.listing import Listing, read_list
from attcell.errors import DataError


def read(folder: Path, text: str, labels=None, *, with_groups: bool = False) -> Listing:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return read_list(path, folder, labels, with_groups=with_groups)


def rows(listing: Listing) -> list[tuple[str, tuple[str, ...], str]]:
    return [(of.id, tuple(listing.labels[at] for at in of.labels), of.group) for of in listing.records]


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4 wave\n\nsub/my b.mp4  clap, twice\n./c.npy\twave\n",
        'video,label\na.mp4,wave\nsub/my b.mp4,"clap, twice"\nc.npy,wave\n',
        '\ufeffLabel, fps ,PATH\nwave,25,a.mp4\n"clap, twice",25,sub/my b.mp4\n\nwave,,c.npy\n',
        "class;video\nwave;a.mp4\nclap, twice;sub\\my b.mp4\nwave;c.npy\n",
        "file\tx\tlabel\na.mp4\t1\twave\nsub/my b.mp4\t\tclap, twice\nc.npy\t2\twave\n",
    ],
)
def test_classes_are_named(tmp_path, text):
    found = read(tmp_path, text)
    assert found.labels == ("clap, twice", "wave")
    assert rows(found) == [
        ("a.mp4", ("wave",), ""), ("sub/my b.mp4", ("clap, twice",), ""), ("c.npy", ("wave",), ""),
    ]  # fmt: skip
    assert found.records[1].path == tmp_path / "sub/my b.mp4"
    assert not found.multi_label


def test_known_classes_keep_their_order(tmp_path):
    (tmp_path / "labels.txt").write_text("wave\nclap\nsit\n")
    assert read(tmp_path, "video,label\na.mp4,clap\n").records[0].labels == (1,)
    assert read(tmp_path, "a.mp4 clap\n").labels == ("wave", "clap", "sit")
    assert read(tmp_path, "a.mp4 clap\n", ("clap", "x")).records[0].labels == (0,)
    assert read(tmp_path, "video,label\na.mp4,2\n").records[0].labels == (2,)
    assert read(tmp_path, "video,label\na.mp4,2\n", ("2", "1")).records[0].labels == (0,)
    assert read(tmp_path, "video,label\na.mp4,cafe\u0301\n", ("caf\u00e9",)).records[0].labels == (0,)


def test_a_video_of_several_classes_has_several_lines(tmp_path):
    found = read(
        tmp_path, "video,label,group\na.mp4,wave,g1\nb.mp4,sit,g2\na.mp4,clap,g1\n", with_groups=True
    )
    assert rows(found) == [("a.mp4", ("clap", "wave"), "g1"), ("b.mp4", ("sit",), "g2")]
    assert found.multi_label
    assert rows(read(tmp_path, "a.mp4 wave hand g1\n", with_groups=True)) == [("a.mp4", ("wave hand",), "g1")]


def test_numbers_stay_numbers(tmp_path):
    assert read(tmp_path, "label,video\n0,a.mp4\n2,b.mp4\n").labels == ("0", "1", "2")
    assert read(tmp_path, "a.mp4 x.mp4 1\n").records[0].id == "a.mp4 x.mp4"


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        ("video,x\na.mp4,1\n", None,
         "no column 'label' in its header 'video,x'; name one so (allowed are label,"),
        ("video,label\n", None, "the list is empty; expected a line for each video behind the header"),
        ("video,label\na.mp4\n,x\n", None,
         "2 bad lines; expected a video and a label:\n  {}:2: no label on this line"
         "\n  {}:3: no video on this line"),
        ("video,label\na.mp4,wafe\n", ("wave", "sit"),
         "{}:2: the class 'wafe' is unknown; did you mean 'wave'?"),
        ("a.mp4 wafe\nb.mp4 q\n", ("wave", "sit"), "{}:2: the class 'q' is unknown; known are wave, sit"),
        ("a.mp4 wave\nb.mp4 3\n", ("wave",), "{}:2: the label '3' is a number, and the others are names"),
        ("a.mp4 wave\nb.mp4\n", None, "{}:2: no class behind a video's name: 'b.mp4'"),
        ("video,label\na.mp4,7\n", ("wave",), "{}:2: label 7 is too high, 1 classes count from 0 to 0"),
        ("video,label\na.mp4,x\na.mp4,x\n", None,
         "{}:3: this video has the class 'x' on an earlier line already"),
        ('video,label\na.mp4,"x\n', None, "this"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, text, labels, message):
    if message == "this":
        assert rows(read(tmp_path, text)) == [("a.mp4", ("x",), "")]
        return
    with pytest.raises(DataError, match=re.escape(message.format(*[tmp_path / "list.csv"] * 2))):
        read(tmp_path, text, labels)


def test_a_group_is_asked_for(tmp_path):
    with pytest.raises(DataError, match="no column 'group' in its header 'video,label'"):
        read(tmp_path, "video,label\na.mp4,x\n", with_groups=True)
    with pytest.raises(
        DataError, match=r"csv:3: this video is of group 'g' on an earlier line, and of 'h' he"
    ):
        read(tmp_path, "video,label,group\na.mp4,x,g\na.mp4,y,h\n", with_groups=True)
