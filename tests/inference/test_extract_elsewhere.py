"""Features that are computed in blocks elsewhere, as on a cluster: the same bytes, and whoever computes them
writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch

from attcell._spread import Work, at_site
from attcell.data.datasets import KeptViews, TrainingFeatures
from attcell.data.shards import _rows_of
from attcell.inference.extract import filled_stores
from attcell.models.build import build_network
from attcell.types import VideoRecord
from attcell.video.sampling import ViewPlan
from tests.moving import moving_frames, write_frames
from tests.small_models import FROZEN, LABELS, recipe_of

PLAN, CPU = ViewPlan(2, num_positions=2, mirrored=True), torch.device("cpu")


class Elsewhere:
    """Another process, as far as what goes there and comes back is concerned; blocks of two videos."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.into: list[Path] = []

    def results(self, work: Work[Any, Any]) -> Iterator[Any]:
        assert work.computes
        self.into += work.into
        for first in range(0, len(work.items), 2):
            content = cloudpickle.dumps((work.function, work.items[first : first + 2]))
            self.sent.append(len(content))
            there, some = cloudpickle.loads(content)
            yield from cloudpickle.loads(cloudpickle.dumps(list(there(some))))


@pytest.fixture
def records(tmp_path) -> list[VideoRecord]:
    found = []
    for number in range(5):
        path = write_frames(tmp_path / f"{number}.avi", moving_frames(8 + number, (64, 48)))
        found.append(VideoRecord(path.name, path, (0,)))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    return [*found[:3], VideoRecord("bad.mp4", tmp_path / "bad.mp4", (0,)), *found[3:]]


@pytest.mark.parametrize("form", ["files", "shards"])
def test_blocks_elsewhere_give_the_same_bytes(tmp_path, folder, records, form):
    recipe = recipe_of(folder, model=FROZEN, cache={"form": form})
    torch.manual_seed(0)
    network = build_network(recipe, len(LABELS), load_weights=False)
    here, failed = filled_stores(tmp_path / "here", recipe, network, records, PLAN, CPU)
    site = Elsewhere()
    with at_site(site):
        there, failed_there = filled_stores(tmp_path / "there", recipe, network, records, PLAN, CPU)
    assert len(site.sent) == 3
    assert site.into == [store.folder for store in there.values()]
    assert list(failed) == ["bad.mp4"]
    assert failed_there == failed
    good = [record for record in records if record.id != "bad.mp4"]
    for name, store in here.items():
        for record in good:
            assert torch.equal(store.read(record)[0], there[name].read(record)[0])
        if form == "shards":
            (shard,) = there[name].folder.glob("*.tar")
            assert len(_rows_of(shard)) == len(good) + 1, "one shard for all blocks, and nothing twice"
    with at_site(site):
        filled_stores(tmp_path / "there", recipe, network, good, PLAN, CPU)
    assert len(site.sent) == 3, "nothing lacks"
    for position in range(4):
        draws = [TrainingFeatures(good, stores, 2, 0)[1, position].inputs for stores in (here, there)]
        for name, drawn in draws[0].items():
            assert torch.equal(drawn, draws[1][name])
    views = [KeptViews(good, stores)[4].inputs for stores in (here, there)]
    assert all(np.array_equal(of.numpy(), views[1][name].numpy()) for name, of in views[0].items())
