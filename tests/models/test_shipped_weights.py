"""The backbones' weights that come with the package, and their card."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file

from attcell.models.weights import SHIPPED, shipped_weights
from attcell.nn import build_backbone
from attcell.research.demo import STREAMS
from attcell.research.suites import generated


@pytest.mark.parametrize("stream", STREAMS)
def test_the_backbones_weights_are_small_and_whole(stream: str) -> None:
    file = shipped_weights(stream)
    assert file.stat().st_size < 0.8 * 2**20
    channels = 2 * 10 if stream == "flow" else 3
    wanted = build_backbone("small", in_channels=channels).body.state_dict()
    found = load_file(file)
    assert {key: value.shape for key, value in found.items()} == {
        key: value.shape for key, value in wanted.items()
    }


def test_the_backbones_learnt_from_videos_that_nothing_else_has() -> None:
    card = json.loads((SHIPPED / "card.json").read_text(encoding="utf-8"))
    assert card.keys() >= {"what", "data", "video_seed", "training_seed", "command", "machine", "licence"}
    seeds_of_suites = {generated.TRIMMED_SEED, generated.SMALL_SEED, generated.UNTRIMMED_SEED}
    assert card["video_seed"] not in {*range(1000), *seeds_of_suites}  # the demo's are 0, and a few more
    assert "benchmarks.demo_backbones" in card["command"]
