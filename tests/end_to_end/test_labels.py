"""``attcell labels``: found actions to an annotation tool, corrected ones back, and what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attcell.annotation_tools.registry import FORMATS
from attcell.data.truth import read_detection_truth
from attcell.synth.truth import read_truth
from tests.end_to_end.conftest import Run


@pytest.fixture
def found(untrimmed: Path, tmp_path: Path) -> Path:
    """What detect would write of a network that finds everything, a frame late, and fails at one video."""
    truth = read_truth(untrimmed)
    videos = [
        {
            "video": f"{untrimmed}/{name}",
            "first_frame_seconds": 0.5,
            "duration_seconds": of.num_frames / truth.fps,
            "detections": [
                {"label": of.label, "start_seconds": start + 0.5, "end_seconds": end + 0.5, "score": 0.75}
                for start, end in of.intervals
            ],
        }
        for name, of in truth.videos.items()
        if name.startswith("test/")
    ]
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"model": "m", "videos": videos, "failed": {}}))
    return path


def accepted(path: Path) -> None:
    """What a person does in Label Studio who submits each prediction as it is."""
    tasks: list[dict[str, Any]] = json.loads(path.read_text())
    path.write_text(json.dumps([{**of, "annotations": of["predictions"]} for of in tasks]))


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_found_is_truth_when_it_comes_back(attcell: Run, found, untrimmed, tmp_path, form):
    out = tmp_path / f"labels{'' if FORMATS[form].is_per_video else FORMATS[form].suffix}"
    done = attcell("labels", "export", found, out, "--format", form, "--videos", untrimmed)
    assert done.stdout.splitlines()[0].endswith(" actions in 4 videos")
    assert f"written: {out}" in done.stdout
    if form == "label-studio":
        accepted(out)
    attcell("labels", "import", out, tmp_path / "truth.json", "--videos", untrimmed)
    truth, known = read_detection_truth(tmp_path / "truth.json"), read_truth(untrimmed)
    expected = [of for of in known.actions() if of.video_id.startswith("test/")]
    assert len(truth.actions) == len(expected)
    for one, other in zip(sorted(truth.actions, key=str), sorted(expected, key=str), strict=True):
        assert (one.video_id, one.label) == (other.video_id, other.label)
        assert one.start_seconds == pytest.approx(other.start_seconds, abs=0.5 / known.fps)
    scored = attcell("score", "detection", found, "--truth", tmp_path / "truth.json").stdout
    assert "mAP                 100.0  100.0  100.0  100.0  100.0  100.0  100.0" in scored


def test_corrected_actions_are_a_list_to_train_on(attcell: Run, found, untrimmed, tmp_path):
    attcell("labels", "export", found, tmp_path / "via.json", "--format", "via", "--videos", untrimmed)
    attcell("labels", "import", tmp_path / "via.json", tmp_path / "train.csv")
    lines = (tmp_path / "train.csv").read_text().splitlines()
    assert lines[0] == "video,label"
    truth = read_truth(untrimmed)
    assert {tuple(line.split(",")) for line in lines[1:]} == {
        (name, of.label) for name, of in truth.videos.items() if name.startswith("test/")
    }


def test_bad_calls_say_one_thing(attcell: Run, found, untrimmed, tmp_path):
    def refused(*words: object, status: int = 2) -> str:
        told: str = attcell("labels", *words, status=status).stderr
        return told

    out = tmp_path / "out.json"
    assert "'excel' is not one of 'label-studio', 'cvat', 'via'" in refused(
        "export", found, out, "--format", "excel"
    )
    assert "--fps 0 is no number of frames a second" in refused(
        "export", found, out, "--format", "via", "--fps", "0"
    )
    nowhere = tmp_path / "nowhere.json"
    nowhere.write_text('{"video": "no.mp4", "duration_seconds": 9, "detections": []}\n')
    told = refused("export", nowhere, out, "--format", "label-studio")
    assert "no.mp4: how many frames a second it has is not known; give --fps or --videos" in told
    told = refused("export", nowhere, tmp_path / "o.xml", "--format", "cvat", "--fps", "25")
    assert "no.mp4: its size is not known, and CVAT needs a box; give --videos FOLDER" in told
    told = refused("export", nowhere, out, "--format", "via", "--videos", untrimmed)
    assert f"no.mp4: there is no such video below {untrimmed}; give the folder" in told
    told = refused("export", found, tmp_path / "a.eaf", "--format", "elan", "--videos", untrimmed)
    assert "elan has a file for each of the 4 videos; name a folder" in told
    assert "--videos x: no such folder" in refused("export", found, out, "--format", "via", "--videos", "x")
    attcell("labels", "export", found, out, "--format", "via", "--videos", untrimmed)
    told = refused("import", out, tmp_path / "truth.txt")
    assert "truth is written to a .json file, a list to train on to a .csv" in told


def test_actions_that_are_none_are_named(attcell: Run, tmp_path):
    row = '"x","[""a.mp4""]",0,"[{}]","[]","{{""1"":""{}""}}"\n'
    head = '# ATTRIBUTE = {"1":{"aname":"action"}}\n# CSV_HEADER = metadata_id,file_list,flags,'
    head += "temporal_coordinates,spatial_coordinates,metadata\n"
    (tmp_path / "via.csv").write_text(
        head + row.format("1,2", "wave") + row.format("5,4", "wave") + row.format("6,7", "wafe")
        + row.format("6,7", "")
    )  # fmt: skip
    (tmp_path / "classes.txt").write_text("wave\nclap\n")
    told = attcell("labels", "import", tmp_path / "via.csv", tmp_path / "truth.json", "--labels",
                   tmp_path / "classes.txt", status=1).stderr  # fmt: skip
    assert told.endswith(
        "via.csv: 3 of 4 actions are none:\n"
        "  a.mp4, 'wave' from 5 s: it ends at 4 s, before its start; mend it in the tool\n"
        "  a.mp4, 'wafe' from 6 s: the label is unknown; did you mean 'wave'?\n"
        "  a.mp4, '' from 6 s: it has no label; choose one in the tool, or take the action away\n"
    )
    assert not (tmp_path / "truth.json").exists()
