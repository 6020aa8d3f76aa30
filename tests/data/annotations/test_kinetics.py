"""Kinetics' CSV."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import kinetics
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import CallError
from tests.data.annotations import writers

HEAD = "label,youtube_id,time_start,time_end,split,is_cc\n"
SMALL = HEAD + (
    'testifying,---QUuC4vJs,84,94,train,0\n\n"tying knot, twice",--3ouPhoy2A,20,30,val,1\n'
    "testifying,-0wR5jVB-WPk,417,427,test,0\n"
)


def test_one_file_with_all_parts(files, tmp_path):
    found = kinetics.read(files({"all.csv": SMALL}) / "all.csv")
    parts = {
        "train": (AnnotatedVideo("---QUuC4vJs_000084_000094", (0,)),),
        "validation": (AnnotatedVideo("--3ouPhoy2A_000020_000030", (1,)),),
        "test": (AnnotatedVideo("-0wR5jVB-WPk_000417_000427", (0,)),),
    }
    assert found == Annotation(("testifying", "tying knot, twice"), parts)
    writers.write_kinetics(found, tmp_path / "again")
    assert kinetics.read(tmp_path / "again") == found
    assert (tmp_path / "again" / "validate.csv").read_text() == (
        'label,youtube_id,time_start,time_end,split\n"tying knot, twice",--3ouPhoy2A,20,30,validate\n'
    )


def test_a_file_for_each_part_in_other_words(files, tmp_path):
    folder = files({
        "kinetics-400_train.csv": '\ufeff"video-id","label-name","start-time","end-time"\r\n'
        '"a b", sit ,1.0,11.0\r\n',
        "kinetics-400_val.csv": "YouTube Identifier,Start time,End time,Class label\nv2,0,10,run\n",
        "kinetics-400_test.csv": "youtube_id,time_start,time_end,split\nv3,0,10,test\n",
    })  # fmt: skip
    found = kinetics.read(folder)
    assert found.labels == ("run", "sit")
    assert found.parts == {
        "test": (AnnotatedVideo("v3_000000_000010", ()),),
        "train": (AnnotatedVideo("a b_000001_000011", (1,)),),
        "validation": (AnnotatedVideo("v2_000000_000010", (0,)),),
    }
    assert kinetics.read([str(file) for file in sorted(folder.iterdir())]) == found
    writers.write_kinetics(found, tmp_path / "again")
    assert kinetics.read(tmp_path / "again") == found
    assert kinetics.read(folder / "kinetics-400_test.csv").labels == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "a,v,1,11,train\n", "x.csv:2: 5 columns, and the header has 6"),
        (HEAD + "a,v,1,11,dev,0\n", "x.csv:2: split is 'dev'; expected train, validate or test"),
        (HEAD + "a,v,1,11,,0\n",
         "x.csv:2: no split is told here, nor by the file's name; expected train, validate or test"),
        (HEAD + "a,v,1.5,11,train,0\n",
         "x.csv:2: time_start is '1.5'; expected whole seconds from 0 to 999999"),
        (HEAD + "a,v,1,end,train,0\n", "x.csv:2: time_end is 'end'; expected whole seconds from 0 to 999999"),
        (HEAD + "a,v,-1,11,train,0\n",
         "x.csv:2: time_start is '-1'; expected whole seconds from 0 to 999999"),
        (HEAD + "a,v,nan,1,train,0\n",
         "x.csv:2: time_start is 'nan'; expected whole seconds from 0 to 999999"),
        (HEAD + ",v,1,11,train,0\n",
         "x.csv:2: a youtube_id and, but for tests, a label are needed: ['', 'v', '1', '11', 'train', '0']"),
        (HEAD + "a,,1,11,train,0\n",
         "x.csv:2: a youtube_id and, but for tests, a label are needed: ['a', '', '1', '11', 'train', '0']"),
        (HEAD + "a,v,1,11,train,0\n\na,v,1,11,test,0\n",
         "x.csv:4: v_000001_000011 stands at x.csv:2 too; leave one of them out"),
        (HEAD + "a,v,1,11,train,0\nA,w,1,11,train,0\n",
         "x.csv:3: class 'A' differs only in case from 'a' (x.csv:2); classes need different names"),
        ("label,youtube_id,time_start\n",
         "x.csv:1: the header lacks time_end; expected label,youtube_id,time_start,time_end,split and got "
         "label,youtube_id,time_start"),
        ("label,video-id,youtube_id\n",
         "x.csv:1: the header has youtube_id twice: label,video-id,youtube_id"),
        ("\n", "x.csv lists no video; get the official file anew"),
        (HEAD, "x.csv lists no video; get the official file anew"),
        (HEAD + 'a,"v\n', "x.csv:2: this is no CSV (unexpected end of data); save it anew"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, text, message):
    assert refused(files({"x.csv": text}), kinetics.read) == message


def test_sources_that_are_none(files, tmp_path):
    with pytest.raises(CallError, match=r"gone\.csv: no such file; give an annotation file"):
        kinetics.read(tmp_path / "gone.csv")
    with pytest.raises(
        CallError, match=r"holds no CSV file; give the folder of train\.csv, or the file itself"
    ):
        kinetics.read(str(files({"x.txt": ""})))
    with pytest.raises(CallError, match=r"source is \[\] \(list\); give one path"):
        kinetics.read([])
    with pytest.raises(CallError, match=r"a source is 5; give one path"):
        kinetics.read([5])


labels = st.text(st.characters(codec="utf-8", categories=["L", "P", "Zs"]), min_size=1, max_size=6).filter(
    lambda label: label == label.strip()
)
clips = st.tuples(st.from_regex(r"[\w-]{3}", fullmatch=True), st.integers(0, 999999), st.integers(0, 999999))


@given(st.lists(labels, min_size=1, max_size=3, unique_by=str.casefold), st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_survive(tmp_path, names, data):
    drawn = data.draw(st.lists(clips, min_size=len(names), max_size=6, unique=True))
    videos = tuple(
        AnnotatedVideo(f"{video}_{start:06d}_{end:06d}", (place % len(names),))
        for place, (video, start, end) in enumerate(drawn)
    )
    annotation = Annotation(tuple(sorted(names)), {"train": videos})
    writers.write_kinetics(annotation, tmp_path)
    assert kinetics.read(tmp_path / "train.csv") == annotation
