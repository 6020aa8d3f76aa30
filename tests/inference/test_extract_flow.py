"""A data set's flow: complete, resumable, refused where it was made otherwise."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from attcell._owners import held
from attcell.data.sources import read_source, videos_below
from attcell.errors import CallError, DataError
from attcell.flow import dequantize, grey, quantize, tvl1
from attcell.inference import extract_flow as module
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.flow_jobs import refuse_inside
from attcell.types import Size
from attcell.video import flow_files
from attcell.video.flow_files import open_flow
from attcell.video.optical_flow import FlowSpec, flow_method, video_flow
from tests.moving import moving_frames, write_frames
from tests.small_models import LABELS
from tests.video.conftest import write_video

FAST = FlowSpec("fast", short_side=256)


@pytest.fixture
def videos(folder, tmp_path):
    """The session's folder, in a copy that a test may change."""
    return shutil.copytree(folder, tmp_path / "videos")


def places(out):
    return sorted(path.relative_to(out).as_posix() for path in out.glob("*/*"))


def test_every_video_gets_its_flow(videos, tmp_path):
    outcome = extract_flow(read_source(videos), tmp_path / "flow", FAST)
    assert (outcome.num_written, outcome.num_kept, outcome.failed, outcome.notes) == (6, 0, {}, [])
    assert places(tmp_path / "flow") == [f"{label}/{number}" for label in LABELS for number in range(2)]
    found = open_flow(tmp_path / "flow" / "sit" / "1")
    assert found.num_fields == 11
    assert found.description["method"] == "fast"
    assert found.description["settings"]["scale_step"] == 0.5
    assert found.description["num_frames"] == 12
    assert found.description["frames_a_second"] == pytest.approx(25)
    assert len(list(found.path.glob("img_*.jpg"))) == 12


def test_raft_makes_a_store_too(tmp_path, monkeypatch):
    from torchvision.models import optical_flow

    untrained = optical_flow.raft_small(weights=None)
    monkeypatch.setattr(optical_flow, "raft_small", lambda weights: untrained)
    flow_method.cache_clear()
    video = tmp_path / "videos" / "a" / "moving.mp4"
    video.parent.mkdir(parents=True)
    write_video(video, 3)
    outcome = extract_flow(
        read_source(tmp_path / "videos"), tmp_path / "flow", FlowSpec("raft", short_side=256)
    )
    flow_method.cache_clear()
    assert (outcome.num_written, outcome.failed) == (1, {})
    found = open_flow(tmp_path / "flow" / "a" / "moving")
    assert (found.num_fields, found.description["method"]) == (2, "raft")


@pytest.mark.parametrize("method", ["fast", "dis"])
def test_videos_of_many_pieces_keep_the_order_of_their_frames(tmp_path, method):
    """Pieces are computed on several threads; JPEG alone comes between."""
    if method == "dis":
        pytest.importorskip("cv2")
    for seed in range(2):
        write_frames(tmp_path / "videos" / f"{seed}.avi", moving_frames(40 + 7 * seed, seed=seed))
    spec, listing = FlowSpec(method), videos_below(tmp_path / "videos")
    extract_flow(listing, tmp_path / "flow", spec, layout=Layout(frames=False))
    for record in listing.records:
        expected = quantize(torch.stack(list(video_flow(record.path, spec))))
        found = open_flow(tmp_path / "flow" / record.path.stem)
        assert found.num_fields == len(expected) in (39, 46)
        difference = (found.read(list(range(found.num_fields))).float() - expected.float()).abs()
        assert difference.mean() < 1
        assert difference.mean(dim=(1, 2, 3)).max() < 2


def test_the_bar_moves_while_one_long_video_is_done(tmp_path, monkeypatch):
    write_frames(tmp_path / "videos" / "long.avi", moving_frames(70))
    (tmp_path / "videos" / "broken.avi").write_bytes(b"no video")
    steps = []
    bar = SimpleNamespace(add_task=lambda *_, **__: 0, advance=lambda task, step: steps.append(step))
    monkeypatch.setattr(module, "progress_bar", lambda: nullcontext(bar))
    extract_flow(videos_below(tmp_path / "videos"), tmp_path / "flow", FAST)
    assert sum(steps) == pytest.approx(2)  # videos
    assert sum(0 < step < 0.5 for step in steps) >= 4


def test_a_video_that_ends_in_damage_leaves_the_others(tmp_path):
    """Its pieces are on their way when the damage shows."""
    for name in ("a", "b", "c"):
        write_frames(tmp_path / "videos" / f"{name}.avi", moving_frames(40, seed=1))
    (tmp_path / "videos" / "b.avi").write_bytes(b"no video")
    outcome = extract_flow(videos_below(tmp_path / "videos"), tmp_path / "flow", FAST, workers=1)
    assert (outcome.num_written, list(outcome.failed)) == (2, ["b.avi"])
    assert sorted(path.name for path in (tmp_path / "flow").iterdir()) == ["a", "c"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: (place / "flow_x_00003.jpg").unlink(), "flow is missing: flow_x_00003"),
        (
            lambda place: [path.unlink() for path in place.glob("flow_?_00011.jpg")],
            "flow.json promises 11 fields, and 10 are there",
        ),
        (
            lambda place: (place / "img_00004.jpg").unlink(),
            "flow.json promises 12 frames, and 11 are there",
        ),
        (lambda place: (place / "flow_y_00002.jpg").write_bytes(b""), "flow_y_00002.jpg is empty"),
    ],
)
def test_gaps_are_named_and_mended_only_when_asked(videos, tmp_path, damage, message):
    listing = read_source(videos)
    extract_flow(listing, tmp_path / "flow", FAST)
    place = tmp_path / "flow" / "sit" / "1"
    damage(place)
    with pytest.raises(DataError, match=rf"sit/1: {message}; compute it again, with --rebuild$"):
        extract_flow(listing, tmp_path / "flow", FAST)
    outcome = extract_flow(listing, tmp_path / "flow", FAST, rebuild=True)
    assert (outcome.num_written, outcome.num_kept) == (1, 5)
    assert open_flow(place).num_fields == 11


def test_the_flow_is_that_of_the_frames(tmp_path):
    still = tmp_path / "videos" / "a" / "still.mp4"
    still.parent.mkdir(parents=True)
    write_video(still, 3)
    extract_flow(read_source(tmp_path / "videos"), tmp_path / "flow", FAST)
    found = open_flow(tmp_path / "flow" / "a" / "still")
    pictures = [
        grey(
            torch.from_numpy(
                np.array(Image.open(tmp_path / "flow" / "a" / "still" / f"img_0000{n}.jpg"))
            ).movedim(-1, 0)
        )
        for n in (1, 2, 3)
    ]
    expected = tvl1(torch.stack(pictures[:2]), torch.stack(pictures[1:]), "fast")
    assert (dequantize(found.read([0, 1])) - expected).abs().max() < 0.3


def test_what_is_there_is_kept_and_only_the_rest_computed(videos, tmp_path, monkeypatch):
    out = tmp_path / "flow"
    extract_flow(read_source(videos), out, FAST)
    shutil.rmtree(out / "run" / "0")
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    outcome = extract_flow(read_source(videos), out, FAST)
    assert (outcome.num_written, outcome.num_kept) == (1, 5)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


@pytest.mark.parametrize("inside", [".", "run", "flow/new"])
def test_frames_beside_the_flow_are_no_videos_of_their_own_source(videos, inside):
    said = (
        f"{videos / inside} lies in {videos}, where the frames beside the flow would be videos too, and each"
    )
    with pytest.raises(CallError) as caught:
        refuse_inside(videos, videos / inside, Layout())
    assert str(caught.value).startswith(said)
    refuse_inside(videos, videos.parent / "flow", Layout())
    for layout in (Layout("zip"), Layout(frames=False)):  # these are no videos
        refuse_inside(videos, videos / inside, layout)


def test_shards_make_a_whole(videos, tmp_path):
    listing, out = read_source(videos), tmp_path / "flow"
    assert [extract_flow(listing, out, FAST, shard=(i, 4)).num_written for i in (1, 2, 3, 4)] == [2, 2, 1, 1]
    assert extract_flow(listing, out, FAST).num_kept == 6


def test_two_runs_fill_a_store_by_its_shards_alone(videos, tmp_path):
    out, listing = tmp_path / "flow", read_source(videos)
    with held(out), pytest.raises(CallError, match="another process is at work in"):
        extract_flow(listing, out, FAST)
    with held(out, in_parts=True):
        with pytest.raises(CallError, match="another process is at work in"):
            extract_flow(listing, out, FAST)
        assert extract_flow(listing, out, FAST, shard=(1, 3)).num_written == 2


def test_several_processes_make_the_same(videos, tmp_path):
    listing = read_source(videos)
    extract_flow(listing, tmp_path / "one", FAST, layout=Layout("zip"))
    extract_flow(listing, tmp_path / "two", FAST, layout=Layout("zip"), workers=2)
    assert places(tmp_path / "one") == places(tmp_path / "two")
    for place in places(tmp_path / "one"):
        one, two = (open_flow(tmp_path / name / place) for name in ("one", "two"))
        assert one.description == two.description
        assert torch.equal(one.read(list(range(9))), two.read(list(range(9))))


@pytest.mark.parametrize(
    ("other", "layout", "difference"),
    [
        (FlowSpec("fast", 32, 256), Layout(), "bound 20.0 instead of 32"),
        (FlowSpec("fast", short_side=20), Layout(), "short_side 256 instead of 20"),
        (FAST, Layout(frames=False), "frames True instead of False"),
        (FlowSpec("paper", short_side=256), Layout(), "method 'fast' instead of 'paper'"),
        (FlowSpec("fast", 20.0, 256, "median"), Layout(), "camera 'keep' instead of 'median'"),
    ],
)
def test_a_store_of_another_recipe_is_refused(videos, tmp_path, other, layout, difference):
    listing, out = read_source(videos), tmp_path / "flow"
    extract_flow(listing, out, FAST)
    with pytest.raises(DataError, match=rf"run/0 was made otherwise .*{difference}.*--rebuild"):
        extract_flow(listing, out, other, layout=layout)
    assert extract_flow(listing, out, other, layout=layout, rebuild=True, shard=(1, 6)).num_written == 1
    assert extract_flow(listing, out, other, layout=layout, shard=(1, 6)).num_kept == 1


def test_the_camera_s_motion_is_taken_out_before_codes_are_written(videos, tmp_path):
    listing, without = read_source(videos), FlowSpec("fast", 20.0, 256, "median")
    extract_flow(listing, tmp_path / "flow", without, layout=Layout("zip", frames=False), shard=(1, 6))
    (place,) = places(tmp_path / "flow")
    stored = open_flow(tmp_path / "flow" / place)
    assert stored.description is not None
    assert stored.description["camera"] == "median"
    exact = torch.stack(list(video_flow(videos / place.replace(".zip", ".mp4"), without)))
    assert (stored.read(list(range(len(exact)))).int() - quantize(exact).int()).abs().float().mean() < 1, (
        "JPEG"
    )


def test_flow_that_does_not_speak_of_the_camera_has_its_motion(videos, tmp_path):
    listing, out = read_source(videos), tmp_path / "flow"
    extract_flow(listing, out, FAST, shard=(1, 6))
    described = out / "run" / "0" / "flow.json"
    older = {key: value for key, value in json.loads(described.read_text()).items() if key != "camera"}
    described.write_text(json.dumps(older))
    assert extract_flow(listing, out, FAST, shard=(1, 6)).num_kept == 1


def test_a_damaged_description_is_refused_and_made_anew_when_asked(videos, tmp_path):
    listing, out = read_source(videos), tmp_path / "flow"
    extract_flow(listing, out, FAST, shard=(1, 6))
    (out / "run" / "0" / "flow.json").write_text("{")
    with pytest.raises(DataError, match=r"run/0: flow\.json cannot be read .*; compute the flow again"):
        extract_flow(listing, out, FAST, shard=(1, 6))
    assert extract_flow(listing, out, FAST, rebuild=True, shard=(1, 6)).num_written == 1
    assert extract_flow(listing, out, FAST, shard=(1, 6)).num_kept == 1


def test_a_video_that_has_changed_is_refused(videos, tmp_path):
    out = tmp_path / "flow"
    extract_flow(read_source(videos), out, FAST)
    write_video(videos / "run" / "0.mp4", 5)
    with pytest.raises(DataError, match=r"source '.*' instead of"):
        extract_flow(read_source(videos), out, FAST)
    assert extract_flow(read_source(videos), out, FAST, rebuild=True).num_written == 1
    assert open_flow(out / "run" / "0").num_fields == 4


def test_a_folder_of_another_tool_is_not_overwritten(videos, tmp_path):
    (tmp_path / "flow" / "run" / "0").mkdir(parents=True)
    with pytest.raises(DataError, match=r"was made otherwise \(no flow.json in it\)"):
        extract_flow(read_source(videos), tmp_path / "flow", FAST)


def test_videos_without_flow_are_counted(videos, tmp_path):
    write_video(videos / "run" / "0.mp4", 1)
    (videos / "sit" / "0.mp4").write_bytes(b"no video")
    outcome = extract_flow(read_source(videos), tmp_path / "flow", FAST)
    assert outcome.num_written == 4
    assert sorted(outcome.failed) == ["run/0.mp4", "sit/0.mp4"]
    assert "the video has 1 frame; flow needs at least 2" in outcome.failed["run/0.mp4"]
    assert "not a video" in outcome.failed["sit/0.mp4"]
    assert not (tmp_path / "flow" / "run" / "0").exists()
    assert not list((tmp_path / "flow").rglob("*.tmp*"))


def test_two_videos_of_one_name_are_refused(videos, tmp_path):
    shutil.copy(videos / "run" / "0.mp4", videos / "run" / "0.mkv")
    with pytest.raises(CallError, match=r"run/0.mkv and run/0.mp4 would both become"):
        extract_flow(read_source(videos), tmp_path / "flow", FAST)


def test_a_full_disk_leaves_nothing_half_written(videos, tmp_path, monkeypatch):
    written = []

    def full(folder, name, content):
        written.append(name)
        if len(written) > 40:
            raise OSError(28, "No space left on device")
        (folder.folder / name).write_bytes(content)

    monkeypatch.setattr(flow_files._Folder, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        extract_flow(read_source(videos), tmp_path / "flow", FAST, workers=1)
    assert places(tmp_path / "flow") == ["run/0"]
    assert not list((tmp_path / "flow").rglob("*.tmp*"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "brox"}, "flow method is 'brox'; allowed: paper, fast, fine, dis, raft"),
        ({"bound": 0}, "bound is 0; allowed"),
        ({"bound": float("inf")}, "bound is inf; allowed"),
        ({"short_side": 0}, "short side is 0; allowed"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(values, message):
    with pytest.raises(CallError, match=message):
        FlowSpec(**values)


def test_frames_are_scaled_down_never_up():
    assert FlowSpec(short_side=256).size(Size(1280, 720)) == (455, 256)
    assert FlowSpec(short_side=256).size(Size(180, 144)) == (180, 144)
    assert FlowSpec(short_side=1).size(Size(3, 900)) == (1, 300)


def test_the_description_is_plain_json():
    assert json.loads(json.dumps(FAST.described())) == FAST.described()
