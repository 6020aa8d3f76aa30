"""Opening a file: what a fork of the process inherits."""

from __future__ import annotations

import gc
import multiprocessing

import pytest

from attcell.video._container import opened


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_fork_does_not_free_the_decoders_of_its_parent(make_video):
    """Freed in the fork, a decoder with threads waits for ever for threads that only the parent has."""
    with opened(make_video("a.mp4", 30), None) as (container, video):
        video.thread_type, video.codec_context.thread_count = "FRAME", 4
        next(container.decode(video))
        cycle = [video, container]
        cycle.append(cycle)
        del container, video
    gc.disable()
    try:
        del cycle
        child = multiprocessing.get_context("fork").Process(target=gc.collect)
        child.start()
        child.join(timeout=60)
        has_ended = child.exitcode == 0
        child.kill()
    finally:
        gc.enable()
    assert has_ended, "the fork hangs"
