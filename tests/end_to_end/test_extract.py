"""``attcell extract flow`` as a user runs it, and kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from attcell.video.flow_files import open_flow
from tests.end_to_end.conftest import command


def places(out):
    return sorted(path for path in out.glob("*/*") if not path.name.startswith("."))


@pytest.fixture
def source(videos):
    return videos / "val"  # 8 videos


def test_killed_twice_and_started_again_the_store_is_whole(source, attcell, tmp_path):
    out = tmp_path / "flow"
    arguments = ["extract", "flow", source, out, "--method", "fast", "--workers", "2"]
    written = {}
    for least in (1, 4):
        process = subprocess.Popen(command(arguments), start_new_session=True, stdout=subprocess.PIPE)
        deadline = time.monotonic() + 300
        while len(places(out)) < least and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)  # the workers end by themselves
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
        wait_until_quiet(out)
        assert all(path.stat().st_mtime_ns == when for path, when in written.items())
        written = {path: path.stat().st_mtime_ns for path in places(out)}
    kept = len(written)
    done = attcell(*arguments[:-1], "1")
    assert done.stdout == f"{out}: {8 - kept} videos computed, {kept} there already, 0 failed\n"
    assert len(places(out)) == 8
    assert all(path.stat().st_mtime_ns == when for path, when in written.items())
    for path in places(out):
        found = open_flow(path)
        assert found.num_fields == found.description["num_fields"]
        assert found.read(list(range(found.num_fields))).shape[:2] == (found.num_fields, 2)
    assert not list(out.rglob(".*"))


def wait_until_quiet(out):
    """Until nothing is written any more."""
    before = None
    while before != (before := sorted(out.rglob("*"))):
        time.sleep(1)


def test_it_is_told_what_is_wrong(source, attcell, tmp_path):
    refused = attcell("extract", "flow", source, "flow", "--shard", "3/2", status=2)
    assert refused.stderr == "attcell: --shard is '3/2'; give i/n with 1 <= i <= n, such as 2/8\n"
    assert not (tmp_path / "flow").exists()
    (tmp_path / "videos" / "a").mkdir(parents=True)
    (tmp_path / "videos" / "a" / "b.mp4").write_bytes(b"no video")
    failed = attcell("extract", "flow", "videos", "flow", "--workers", "1", status=1)
    assert "b.mp4: not a video" in failed.stderr
    assert failed.stdout == "flow: 0 videos computed, 0 there already, 1 failed\n"


def test_another_bound_is_refused_unless_asked_to_rebuild(source, attcell):
    words = ["extract", "flow", source, "flow", "--method", "fast", "--shard", "1/8", "--workers", "1"]
    attcell(*words, "--form", "zip", "--no-frames")
    refused = attcell(*words, "--form", "zip", "--no-frames", "--bound", "10", status=1)
    assert "bound 20.0 instead of 10.0" in refused.stderr
    attcell(*words, "--form", "zip", "--no-frames", "--bound", "10", "--rebuild")
