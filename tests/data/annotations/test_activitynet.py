"""ActivityNet's truth."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import activitynet
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.types import ActionInstance
from tests.data.annotations import writers

CLIMB = {"segment": [30.0, 205.2], "label": "Rock climbing"}
SMALL = {
    "database": {
        "v1": {"subset": "validation", "duration": 211.5, "annotations": [CLIMB], "url": "not read"},
        "v2": {"subset": "testing", "duration": 5, "annotations": []},
        "v3": {"subset": "validation", "annotations": [{"segment": [0, 1], "label": "Archery"}, CLIMB]},
    },
    "version": "VERSION 1.3",
}


def test_a_small_one(files, tmp_path):
    found = activitynet.read(files({"truth.json": json.dumps(SMALL)}) / "truth.json")
    climb = [ActionInstance(video, "Rock climbing", 30.0, 205.2) for video in ("v1", "v3")]
    archery = ActionInstance("v3", "Archery", 0.0, 1.0)
    validation = (
        AnnotatedVideo("v1", (1,), instances=(climb[0],), duration_seconds=211.5),
        AnnotatedVideo("v3", (0, 1), instances=(archery, climb[1])),
    )
    testing = (AnnotatedVideo("v2", (), duration_seconds=5.0),)
    parts = {"validation": validation, "testing": testing}
    assert found == Annotation(("Archery", "Rock climbing"), parts, multi_label=True)
    assert found.notes == ()
    writers.write_activitynet(found, tmp_path / "again.json")
    assert activitynet.read(str(tmp_path / "again.json")) == found


def one(**changes: Any) -> str:
    return json.dumps(
        {"database": {"v1": {"subset": "training", "duration": 9.0, "annotations": [], **changes}}}
    )


def action(*segment: Any, label: Any = "Run") -> str:
    return one(annotations=[{"segment": [0, 1], "label": "Run"}, {"segment": list(segment), "label": label}])


def test_what_is_odd_is_noted(files):
    folder = files({"x.json": action(8.5, 9.5), "y.json": action(2, 2)})
    assert activitynet.read(folder / "x.json").notes == (
        "v1 lasts 9 s, and 1 of its 2 intervals go beyond, first 8.5 to 9.5 s (Run)",
    )
    assert activitynet.read(folder / "y.json").notes == ("v1 has an interval of no length at 2 s (Run)",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (action(3, 2),
         "x.json: v1, annotation 2: the interval ends at 2.0 s, before its start at 3.0 s; swap them"),
        (action(0, float("nan")),
         "x.json: v1, annotation 2: the interval is 0.0 to nan; both must be numbers of seconds"),
        (action(0, 1, 2),
         "x.json: v1, annotation 2: {'segment': [0, 1, 2], 'label': 'Run'}; expected a segment [start, end] "
         "and a label"),
        (action(0, "1"),
         "x.json: v1, annotation 2: {'segment': [0, '1'], 'label': 'Run'}; expected a segment [start, end] "
         "and a label"),
        (action(0, True),
         "x.json: v1, annotation 2: {'segment': [0, True], 'label': 'Run'}; expected a segment [start, end] "
         "and a label"),
        (action(0, 10**400)[:200],
         "x.json is not JSON (Expecting ',' delimiter: line 1 column 201 (char 200)); get it anew"),
        (action(0, 1, label=3),
         "x.json: v1, annotation 2: {'segment': [0, 1], 'label': 3}; expected a segment [start, end] "
         "and a label"),
        (one(annotations=["run"]),
         "x.json: v1, annotation 1: run; expected a segment [start, end] and a label"),
        (action(0, 1, label=""), "x.json: v1: the name of a class is needed here, and there is none"),
        (action(0, 1, label="run"),
         "x.json: v1: class 'run' differs only in case from 'Run' (x.json: v1); classes need different "
         "names"),
        (one(annotations=None),
         "x.json: v1: annotations is no list; expected a segment and a label for each action"),
        (one(subset=""), "x.json: v1 has no subset; expected training, validation or testing"),
        (one(subset=3), "x.json: v1 has no subset; expected training, validation or testing"),
        (one(duration=0), "x.json: v1: duration is 0; expected seconds above 0"),
        (one(duration="9"), "x.json: v1: duration is '9'; expected seconds above 0"),
        (one(duration=float("nan")), "x.json: v1: duration is nan; expected seconds above 0"),
        (one(), "x.json names no class; get the official files anew"),
        ('{"database": {"v1": {"subset": "a"}, "v1": {"subset": "b"}}}',
         "x.json: v1 is there twice; leave one of them out"),
        ('{"database": {"v1": 3}}', "x.json: v1 has no subset; expected training, validation or testing"),
        ('{"database": {}}', "x.json has no videos in 'database'; give a truth file of ActivityNet"),
        ('{"results": {}}', "x.json has no videos in 'database'; give a truth file of ActivityNet"),
        ("[]", "x.json has no videos in 'database'; give a truth file of ActivityNet"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, text, message):
    assert refused(files({"x.json": text}), lambda folder: activitynet.read(folder / "x.json")) == message


@pytest.mark.parametrize(
    "text", ["{", "[" * 10**5, '{"database": ' + "9" * 5000 + "}"], ids=["torn", "deep", "long"]
)
def test_what_is_no_json(files, refused, text):
    said = refused(files({"x.json": text}), lambda folder: activitynet.read(folder / "x.json"))
    assert said.startswith("x.json is not JSON (")


segments = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted)
told = st.lists(st.tuples(segments, st.sampled_from(["Run", "Sit", "ü"])), max_size=4)


@given(st.dictionaries(st.text(min_size=1, max_size=5), told, min_size=1, max_size=5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_instances_survive(tmp_path, database):
    names = sorted({label for actions in database.values() for _, label in actions})
    videos = tuple(
        AnnotatedVideo(
            video,
            tuple(sorted({names.index(label) for _, label in actions})),
            instances=tuple(ActionInstance(video, label, *segment) for segment, label in actions),
        )
        for video, actions in database.items()
    )
    if names:
        annotation = Annotation(tuple(names), {"training": videos}, multi_label=True)
        writers.write_activitynet(annotation, tmp_path / "x.json")
        assert activitynet.read(tmp_path / "x.json") == annotation
