"""THUMOS14's actions in time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import thumos14, ucf101
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.types import ActionInstance
from tests.data.annotations import writers

VAL, TEST = "temporal_annotations_validation", "temporal_annotations_test"
SMALL = {
    f"{VAL}/Ambiguous_val.txt": "v1  7.0 8.5\r\nv9  0.0 1.0\r\n",
    f"{VAL}/CliffDiving_val.txt": "v1  1.0 2.5\r\n",
    f"{VAL}/Diving_val.txt": "v1  5.0 6.0\r\nv1  1.0 2.5\r\n\r\nv0  3.0 4.0\r\n",
    f"{TEST}/CliffDiving_test.txt": "",
    f"{TEST}/Diving_test.txt": "t1  0.5 12.25 \n",
    "test_durations.txt": "t1.mp4\n12.000000\nt2.mp4\n3.500000\n",
}
# for f in *; do awk 'NF {n++} END {print n}' $f; done, in each of the two folders
OFFICIAL = {
    "BaseballPitch": (30, 41), "BasketballDunk": (303, 488), "Billiards": (81, 106), "CleanAndJerk": (42, 98),
    "CliffDiving": (143, 217), "CricketBowling": (178, 138), "CricketShot": (181, 170), "Diving": (499, 388),
    "FrisbeeCatch": (103, 48), "GolfSwing": (31, 36), "HammerThrow": (199, 242), "HighJump": (271, 135),
    "JavelinThrow": (192, 169), "LongJump": (163, 142), "PoleVault": (120, 399), "Shotput": (70, 144),
    "SoccerPenalty": (66, 48), "TennisSwing": (69, 141), "ThrowDiscus": (120, 88),
    "VolleyballSpiking": (146, 120),
}  # fmt: skip


def instances(video: str, *intervals: tuple[str, float, float]) -> tuple[ActionInstance, ...]:
    return tuple(ActionInstance(video, *interval) for interval in intervals)


def test_a_small_one(files, tmp_path):
    found = thumos14.read(files(SMALL))
    cliff = instances("v1", ("CliffDiving", 1.0, 2.5), ("Diving", 5.0, 6.0), ("Diving", 1.0, 2.5))
    validation = (
        AnnotatedVideo("v0", (1,), instances=instances("v0", ("Diving", 3.0, 4.0))),
        AnnotatedVideo("v1", (0, 1), instances=cliff),
        AnnotatedVideo("v9", ()),
    )
    late = instances("t1", ("Diving", 0.5, 12.25))
    test = (AnnotatedVideo("t1", (1,), instances=late, duration_seconds=12.0),)
    ambiguous = (*instances("v1", ("Ambiguous", 7.0, 8.5)), *instances("v9", ("Ambiguous", 0.0, 1.0)))
    assert found == Annotation(
        ("CliffDiving", "Diving"), {"validation": validation, "test": test}, True, ambiguous
    )
    assert found.notes == (
        "v9 has ambiguous intervals alone, and no action",
        "t1 lasts 12 s, and 1 of its 1 intervals go beyond, first 0.5 to 12.25 s (Diving)",
    )
    writers.write_thumos14(found, tmp_path / "again")
    assert thumos14.read(tmp_path / "again") == found
    assert (tmp_path / "again" / "test_durations.txt").read_text() == "t1.mp4\n12.000000\n"
    assert (tmp_path / "again" / VAL / "Ambiguous_val.txt").read_text() == "v1  7.0 8.5\nv9  0.0 1.0\n"


def test_one_part_in_the_folder_itself(files):
    found = thumos14.read(files({"Run_test.txt": "t1 0 1\n"}))
    assert list(found.parts) == ["test"]
    assert (found.labels, found.ambiguous, found.notes) == (("Run",), (), ())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Diving_val.txt", "v1 1.0\n",
         "Diving_val.txt:1: 'v1 1.0'; expected 'VIDEO START END' with times in seconds"),
        ("Diving_val.txt", "v1 1.0 2.0 3.0\n",
         "Diving_val.txt:1: 'v1 1.0 2.0 3.0'; expected 'VIDEO START END' with times in seconds"),
        ("Diving_val.txt", "\nv1 1.0 end\n",
         "Diving_val.txt:2: 'v1 1.0 end'; expected 'VIDEO START END' with times in seconds"),
        ("Diving_val.txt", "v1 2.0 1.0\n",
         "Diving_val.txt:1: the interval ends at 1.0 s, before its start at 2.0 s; swap them"),
        ("Ambiguous_val.txt", "v1 nan 1.0\n",
         "Ambiguous_val.txt:1: the interval is nan to 1.0; both must be numbers of seconds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, name, text, message):
    folder = files({**SMALL, f"{VAL}/{name}": text})
    assert refused(folder, thumos14.read) == f"{VAL}/{message}"


def test_files_that_do_not_belong_together(files, refused):
    folder = files({**SMALL, f"{VAL}/Diving_val.txt": "t1 1.0 2.0\n"}, "both")
    assert refused(folder, thumos14.read) == f"{folder}: t1 is in files of both parts; leave it out of one"
    folder = files({**SMALL, f"{VAL}/HighJump_val.txt": "v1 1.0 2.0\n"}, "one")
    assert refused(folder, thumos14.read) == (
        f"{folder}: HighJump_test.txt is missing, and the other part has this class; get it anew"
    )
    folder = files({**SMALL, "old/Diving_val.txt": ""}, "twice")
    assert refused(folder, thumos14.read) == (
        f"{VAL}/Ambiguous_val.txt lies apart from old/Diving_val.txt; give a folder with one set of "
        "annotation files"
    )
    folder = files({"x.txt": ""}, "none")
    assert refused(folder, thumos14.read) == (
        f"{folder} holds no CLASS_val.txt and no CLASS_test.txt; give the official files' folder"
    )
    folder = files({"Ambiguous_test.txt": "t1 0 1\n"}, "only ambiguous")
    assert refused(folder, thumos14.read) == f"{folder} names no class; get the official files anew"


times = st.floats(0, 1e5)
actions = st.tuples(
    st.sampled_from(["va", "vb", "vc"]), st.sampled_from(["A", "B", "Ambiguous"]), times, times
)


@given(st.lists(actions, max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_instances_survive(files, tmp_path, drawn):
    texts = {f"{VAL}/{name}_val.txt": "" for name in ("A", "B", "Ambiguous")}
    for video, name, start, end in drawn:
        texts[f"{VAL}/{name}_val.txt"] += f"{video} {min(start, end)!r} {max(start, end)!r}\n"
    found = thumos14.read(files(texts))
    told = [of for video in found.parts["validation"] for of in video.instances]
    assert len(told) + len(found.ambiguous) == len(drawn)
    writers.write_thumos14(found, tmp_path / "again")
    assert thumos14.read(tmp_path / "again") == found


@pytest.fixture
def found(official):
    return thumos14.read(official / "thumos14")


def of_class(found: Annotation, part: str, name: str) -> set[tuple[str, float, float]]:
    told = (of for video in found.parts[part] for of in video.instances if of.label == name)
    return {(of.video_id, of.start_seconds, of.end_seconds) for of in told}


@pytest.mark.real
def test_the_official_counts(found, official):
    assert {part: len(videos) for part, videos in found.parts.items()} == {"validation": 200, "test": 213}
    assert found.labels == tuple(OFFICIAL)
    for name, counts in OFFICIAL.items():
        assert tuple(len(of_class(found, part, name)) for part in ("validation", "test")) == counts
    ids = [of.video_id.split("_")[1] for of in found.ambiguous]
    assert (ids.count("validation"), ids.count("test")) == (89, 99)
    classes = ucf101.read_labels(official / "ucf101" / "classInd.txt")
    assert set(found.labels) <= set(classes)


@pytest.mark.real
@pytest.mark.parametrize(("part", "more"), [("validation", 356), ("test", 171)])
def test_cliff_dives_are_dives(found, part, more):
    cliff, dives = (of_class(found, part, name) for name in ("CliffDiving", "Diving"))
    assert cliff <= dives
    assert len(dives - cliff) == more


@pytest.mark.real
def test_what_is_odd_in_the_official_files(found):
    assert [note.split()[0] for note in found.notes] == [
        "video_validation_0000364",  # instances after the end, by the durations file
        "video_validation_0000856",
        "video_test_0000270",
        "video_test_0000814",
        "video_test_0001081",
        "video_test_0001292",  # ambiguous alone
    ]


@pytest.mark.real
def test_the_official_files_written_again(found, official, tmp_path):
    writers.write_thumos14(found, tmp_path)
    assert thumos14.read(tmp_path) == found
    for folder in (VAL, TEST):
        for file in (tmp_path / folder).iterdir():
            assert file.read_bytes() == (official / "thumos14" / folder / file.name).read_bytes()


def read_durations(folder):
    return thumos14.read_durations(folder / "d.txt")


def read_class_numbers(folder):
    return thumos14.read_class_numbers(folder / "detclasslist.txt")


@given(st.dictionaries(st.from_regex(r"video_test_\d{7}", fullmatch=True), st.floats(1e-9, 1e5), max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_durations_survive(tmp_path, lengths):
    writers.write_durations(lengths, tmp_path / "d.txt")
    assert read_durations(tmp_path) == lengths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4\n1.5\nb.mp4\n", "d.txt:3: the length of b.mp4 is missing; get the file anew"),
        ("a.mp4\nb.mp4\n", "d.txt:2: 'b.mp4' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\n0\n", "d.txt:2: '0' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\nnan\n", "d.txt:2: 'nan' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\ninf\n", "d.txt:2: 'inf' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\n1\n\na.mp4\n2\n", "d.txt:4: a stands at d.txt:1 too; leave one of them out"),
    ],
)
def test_bad_durations(files, refused, text, message):
    assert refused(files({"d.txt": text}), read_durations) == message


def test_numbers_of_classes(files, tmp_path):
    (tmp_path / "detclasslist.txt").write_text("7 BaseballPitch\n26 Diving\n")
    assert read_class_numbers(tmp_path) == {"BaseballPitch": 7, "Diving": 26}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 Diving\n", "detclasslist.txt:1: '0 Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("102 Diving\n",
         "detclasslist.txt:1: '102 Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("Diving\n", "detclasslist.txt:1: 'Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("7\n", "detclasslist.txt:1: the name of a class is needed here, and there is none"),
        ("7 A\n07 B\n",
         "detclasslist.txt:2: number 7 stands at detclasslist.txt:1 too; leave one of them out"),
        ("7 A\n8 A\n",
         "detclasslist.txt:2: class 'A' is there already (detclasslist.txt:1); classes need different names"),
    ],
)  # fmt: skip
def test_bad_numbers_of_classes(files, refused, text, message):
    assert refused(files({"detclasslist.txt": text}), read_class_numbers) == message


@pytest.mark.real
@pytest.mark.parametrize(("part", "num_lengths"), [("validation", 1010), ("test", 1574)])
def test_the_official_lists(official, tmp_path, part, num_lengths):
    file = official / "thumos14" / f"{part}_durations.txt"
    lengths = thumos14.read_durations(file)
    assert len(lengths) == num_lengths
    writers.write_durations(lengths, tmp_path / "d.txt")
    assert (tmp_path / "d.txt").read_bytes() == file.read_bytes()


class TestDetection:
    def test_videos_without_an_action_are_of_no_class(self, files):
        found = thumos14.read_detection(files(SMALL))
        assert [(video.id, video.labels, video.duration_seconds) for video in found.parts["test"]] == [
            ("t1", (1,), 12.0),
            ("t2", (), 3.5),
        ]
        assert [video.id for video in found.parts["validation"]] == ["v0", "v1", "v9"]
        assert found.notes[-1].startswith(
            "no list of all validation videos (validation_durations.txt or validation_set.mat) in "
        )
        assert found.notes[-1].endswith(": the 3 with times are known alone")

    def test_the_lists_of_the_recognition_task_name_them_too(self, files):
        folder = files(SMALL | {"validation_classes.txt": "v1 7\nv5\nv2 12 57\n"})
        found = thumos14.read_detection(folder)
        assert [video.id for video in found.parts["validation"]] == ["v0", "v1", "v2", "v5", "v9"]
        assert not any("no list" in note for note in found.notes)

    def test_the_official_files(self, official):
        found = thumos14.read_detection(official / "thumos14")
        counts = {
            part: (len(videos), sum(bool(video.labels) for video in videos))
            for part, videos in found.parts.items()
        }
        assert counts == {"validation": (1010, 200), "test": (1574, 212)}
        assert len(found.labels) == 20
