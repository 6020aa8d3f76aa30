"""Files as the tools write them, each with the same two actions of long.mp4, checked by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from attcell.annotation_tools.registry import read_labels
from attcell.annotation_tools.videos import Videos
from attcell.errors import CallError, DataError
from attcell.types import Detection

FPS = 25.0
SEEN = [Detection("wave", 2.0, 4.0, 1.0), Detection("clap & turn", 6.0, 7.2, 1.0)]

LABEL_STUDIO = [{
    "id": 7, "inner_id": 1, "project": 3, "meta": {}, "total_annotations": 1, "total_predictions": 1,
    "cancelled_annotations": 0, "created_at": "2026-01-02T10:00:00Z", "updated_at": "2026-01-02T10:05:00Z",
    "data": {"video": "/data/upload/3/3d3ad63e-long.mp4"}, "drafts": [], "predictions": [41],
    "annotations": [{
        "id": 9, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "lead_time": 31.2,
        "result": [
            {"original_length": 10, "value": {"ranges": [{"start": 51, "end": 100}],
             "timelinelabels": ["wave"]}, "id": "Qx1", "from_name": "actions", "to_name": "video",
             "type": "timelinelabels", "origin": "manual"},
            {"value": {"ranges": [{"start": 151, "end": 180}], "timelinelabels": ["clap & turn"]},
             "id": "Qx2", "from_name": "actions", "to_name": "video", "type": "timelinelabels",
             "origin": "prediction-changed"},
            {"value": {"choices": ["indoors"]}, "from_name": "place", "to_name": "video", "type": "choices"},
        ],
    }],
}]  # fmt: skip
LABEL_STUDIO_MIN = [{
    "video": "/data/local-files/?d=long.mp4", "id": 7, "fps": 25,
    "actions": [{"ranges": [{"start": 51, "end": 100}], "timelinelabels": ["wave"]},
                {"ranges": [{"start": 151, "end": 180}], "timelinelabels": ["clap & turn"]}],
    "annotator": 1, "annotation_id": 9, "created_at": "2026-01-02T10:00:00Z",
    "updated_at": "2026-01-02T10:05:00Z", "lead_time": 31.2,
}]  # fmt: skip
BOXES = [{"data": {"video": "long.mp4"}, "annotations": [{"result": [
    {"type": "videorectangle", "value": {"framesCount": 250, "labels": ["wave"], "sequence": [
        {"frame": 51, "enabled": True, "x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "time": 2.04},
        {"frame": 100, "enabled": False, "x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "time": 4}]
    }},
    {"type": "videorectangle", "value": {"framesCount": 180, "labels": ["clap & turn"], "sequence": [
        {"frame": 151, "enabled": True, "x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "time": 6}]}},
]}]}]  # fmt: skip
VIA = {
    "project": {"pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__", "pname": "mine",
                "data_format_version": "3.1.1", "vid_list": ["1"]},
    "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}},
    "attribute": {
        "1": {"aname": "TEMPORAL-SEGMENTS", "anchor_id": "FILE1_Z2_XY0", "type": 4, "desc": "",
              "options": {"1": "wave", "2": "clap & turn"}, "default_option_id": ""},
        "2": {"aname": "object", "anchor_id": "FILE1_Z1_XY1", "type": 1, "desc": "", "options": {},
              "default_option_id": ""}},
    "file": {"1": {"fid": "1", "fname": "long.mp4", "type": 4, "loc": 1, "src": ""}},
    "metadata": {
        "1_fJ2a": {"vid": "1", "flg": 0, "z": [2, 4], "xy": [], "av": {"1": "1"}},
        "1_kL9c": {"vid": "1", "flg": 0, "z": [6, 7.2], "xy": [], "av": {"1": "2"}},
        "1_zZ00": {"vid": "1", "flg": 0, "z": [3.4], "xy": [2, 10, 10, 50, 50], "av": {"2": "cup"}}},
    "view": {"1": {"fid_list": ["1"]}},
}  # fmt: skip
VIA_CSV = r"""# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# - temporal coordinate of [1.349,2.741] denotes a temporal segment from time 1.346 sec. to 2.741 sec.
# SHAPE_ID = {"POINT":1,"RECTANGLE":2}
# FLAG_ID = {"RESERVED_FOR_FUTURE":1}
# ATTRIBUTE = {"1":{"aname":"x","anchor_id":"FILE1_Z2_XY0","type":1,"desc":"","options":{}}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"1_fJ2a","[""long.mp4""]",0,"[2,4]","[]","{""1"":""wave""}"
"1_kL9c","[""long.mp4""]",0,"[6,7.2]","[]","{""1"":""clap & turn""}"
"1_zZ00","[""long.mp4""]",0,"[3.4]","[2,10,10,50,50]","{}"
"""
BOX = 'occluded="0" keyframe="{}" xtl="0.00" ytl="0.00" xbr="9.00" ybr="9.00" z_order="0"'
CVAT = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>12</id><name>my task</name><size>250</size><mode>interpolation</mode><overlap>5</overlap>
      <start_frame>0</start_frame><stop_frame>249</stop_frame><frame_filter></frame_filter>
      <labels><label><name>wave</name><color>#fa3253</color><type>any</type><attributes></attributes></label>
      </labels>
      <original_size><width>9</width><height>9</height></original_size><source>long.mp4</source>
    </task>
    <dumped>2026-01-02 10:05:00.000000+00:00</dumped>
  </meta>
  <track id="0" label="wave" source="manual">
    <box frame="50" outside="0" {BOX.format(1)}></box>
    <box frame="51" outside="0" {BOX.format(0)}></box>
    <box frame="100" outside="1" {BOX.format(1)}></box>
  </track>
  <track id="1" label="clap &amp; turn" source="manual">
    <box frame="150" outside="0" {BOX.format(1)}></box>
    <box frame="179" outside="0" {BOX.format(0)}></box>
  </track>
</annotations>
"""
CVAT_TAGS = (
    "<annotations><version>1.1</version><meta><task><name>t</name><frame_filter>step=2</frame_filter>"
    "<source>long.mp4</source></task></meta>"
    + "".join(f'<image id="{frame}"><tag label="wave"></tag></image>' for frame in range(50, 100, 2))
    + "".join(f'<tag label="clap &amp; turn" frame="{frame}"/>' for frame in range(150, 180, 2))
    + "</annotations>"
)
ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-02T10:05:00+00:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/Users/me/long.mp4" MIME_TYPE="video/mp4"/>
    <PROPERTY NAME="URN">urn:nl-mpi-tools-elan-eaf:f1c984f0-9484-44ee-9e94-4d61c5d25a11</PROPERTY>
    <PROPERTY NAME="lastUsedAnnotationId">3</PROPERTY>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="2000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="4000"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="6000"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="7200"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="wave">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="others">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>clap &amp; turn</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="note" PARENT_REF="others" TIER_ID="notes">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
      <ANNOTATION_VALUE>quick</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""
FILES = {
    "tasks.json": json.dumps(LABEL_STUDIO), "min.json": json.dumps(LABEL_STUDIO_MIN),
    "boxes.json": json.dumps(BOXES), "via.json": json.dumps(VIA), "via.csv": VIA_CSV, "cvat.xml": CVAT,
    "tags.xml": CVAT_TAGS, "long.eaf": ELAN,
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_as_its_tool_writes_it_is_read(name, tmp_path):
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    (video,) = read_labels(path, None, Videos(fps=FPS)).videos
    assert video.video == "long.mp4"
    assert list(video.actions) == SEEN


def test_what_cvat_packs_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as packed:
        packed.writestr("annotations.xml", CVAT)
    (video,) = read_labels(tmp_path / "task.zip", "cvat", Videos(fps=FPS)).videos
    assert list(video.actions) == SEEN
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("a.txt", "")
    refused(tmp_path / "other.zip", r"other\.zip holds no annotations\.xml; unpack it")
    (tmp_path / "bad.zip").write_bytes((tmp_path / "task.zip").read_bytes()[:60])
    refused(tmp_path / "bad.zip", r"bad\.zip is a damaged ZIP")


def test_tasks_that_nobody_annotated_are_told(tmp_path):
    tasks = [
        {"data": {"video": "open.mp4"}, "predictions": [{"result": []}]},
        {"data": {"video": "skipped.mp4"}, "annotations": [{"was_cancelled": True, "result": []}]},
        {"data": {"video": "two.mp4"}, "annotations": [{"result": [1]}, {"result": []}]},
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    read = read_labels(tmp_path / "tasks.json", None, Videos(fps=FPS))
    assert [of.video for of in read.videos] == ["two.mp4"]
    assert read.notes == (
        "two.mp4 has 2 annotations; the last one is taken",
        "2 of 3 tasks are annotated by nobody, and left out",
    )


def refused(path: Path, message: str, form=None) -> None:
    with pytest.raises((CallError, DataError), match=message):
        read_labels(path, form, Videos(fps=FPS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", r"of none of the known formats \(label-studio, cvat, via, elan"),
        ("hello", "of none of the known formats"),
        ("{", "is not JSON .*; export it anew"),
        ("<a", "is not XML"),
        ("<a/>", "of none of the known formats"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>', "a DOCTYPE"),
        ("<a>" * 200 + "</a>" * 200, "nested more than 100 levels deep"),
        (CVAT.replace("long.mp4", "").replace("my task", ""), "names no video; export it anew from its task"),
        (CVAT.replace('frame="50"', 'frame="x"'), "track 0: a frame is 'x'; expected a number"),
        (CVAT.replace("<meta>", "<meta><task><name>b</name></task>"), "is of 2 tasks; export each task by"),
        (
            ELAN.replace(' TIME_VALUE="7200"', ""),
            "annotation a2 on tier others: it has no time; set its begin",
        ),
        (ELAN.replace("milliseconds", "NTSC-frames"), "its times are in NTSC-frames; expected milliseconds"),
        (ELAN.replace("MEDIA_DESCRIPTOR", "X"), "names no video; link one to it in ELAN"),
        (json.dumps({**VIA, "attribute": {}}), "no attribute of temporal segments tells the class"),
        (json.dumps({**VIA, "view": {}}), "1_fJ2a: it is of view 1, which there is not"),
        (json.dumps(VIA).replace("[2, 4]", '["x", 4]'), "1_fJ2a: a time is 'x'; expected a number"),
        (
            VIA_CSV.replace("temporal_coordinates", "temporal_segment_start"),
            "export as VIA3 CSV, or save the",
        ),
        (VIA_CSV.replace('"[2,4]"', '"[2,"'), r"is no CSV of VIA 3 \(.*; it needs file_list"),
        (
            json.dumps(LABEL_STUDIO).replace('"start": 51', '"start": "x"'),
            "task 1: start is 'x'; expected a number",
        ),
        (json.dumps(LABEL_STUDIO).replace('"video"', '"clip"'), "task 1: it names no video; expected one in"),
        (json.dumps(LABEL_STUDIO).replace("annotations", "nothing"), "none of its tasks is annotated"),
    ],
)
def test_what_is_no_such_file_is_refused(content, message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path, message)


def test_a_format_that_is_not_the_files_is_refused(tmp_path):
    path = tmp_path / "long.eaf"
    path.write_text(ELAN)
    refused(path, "is no file of cvat; it looks like one of elan; export it anew", "cvat")
    refused(tmp_path / "none.eaf", "no such file; give what the annotation tool exported")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no file of an annotation tool in it")


def test_frames_need_a_rate(tmp_path):
    (tmp_path / "cvat.xml").write_text(CVAT)
    with pytest.raises(
        CallError, match=r"long\.mp4: how many frames a second .* give --fps, or the videos by"
    ):
        read_labels(tmp_path / "cvat.xml", None, Videos())
