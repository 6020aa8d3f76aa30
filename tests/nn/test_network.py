"""Every network: segments that are encoded in parts give what they give at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attcell.nn import (
    FC6,
    TAN,
    VLAD,
    Average,
    Branch,
    Flat,
    LinearSVM,
    Network,
    Pooled,
    PooledStream,
    Pooling,
    SVMNetwork,
    branch_selection,
    cnn,
    fc_fusion,
    soft_attention,
    spatial_attention,
    two_stream,
)
from tests.nn.networks import passing_backbone, random_maps, randomised, small_late, small_stan

CHANNELS = {"frame": 2, "flow": 3}


def branches(cell: str) -> dict[str, Branch]:
    return {name: Branch(passing_backbone(width), 4, cell=cell) for name, width in CHANNELS.items()}


def tan() -> Network:
    return TAN(**branches("lstm"), num_classes=3, dropout=0.0)


def svm_on(pooling: Callable[[int], Pooling]) -> Network:
    streams = {name: PooledStream(passing_backbone(n), pooling(n)) for name, n in CHANNELS.items()}
    body = Pooled(streams)
    svm = LinearSVM(body.dim, 3)
    svm.weight.copy_(torch.randn(3, body.dim, generator=torch.Generator().manual_seed(0)))
    return SVMNetwork(body, svm)


def vlad(channels: int) -> VLAD:
    generator = torch.Generator().manual_seed(channels)
    pooling = VLAD(channels, 2, 4)
    pooling.fit(*(torch.randn(*size, generator=generator) for size in ((channels,), (2, channels), (4, 2))))
    return pooling


def fc6(channels: int) -> FC6:
    return FC6("it", nn.Linear(channels * 25, 6), 5, "fc6")


def rival(make: Any, cell: str = "gru") -> Callable[[], Network]:
    return lambda: make(branches(cell), 3, dropout=0.0)


NETWORKS: dict[str, Callable[[], Network]] = {
    "stan": lambda: small_stan(CHANNELS),
    "late": lambda: small_late(CHANNELS),
    "tan": tan,
    "cnn": rival(cnn, "none"),
    "two_stream": rival(two_stream),
    "fc": rival(fc_fusion),
    "branch_selection": rival(branch_selection),
    "spatial_attention": rival(spatial_attention),
    "soft_attention": rival(soft_attention, "lstm"),
    "svm on stan": lambda: SVMNetwork(small_stan(CHANNELS), LinearSVM(10, 3)),
    "svm on average": lambda: svm_on(Average),
    "svm on flat": lambda: svm_on(lambda channels: Flat(channels, (5, 5))),
    "svm on fc6": lambda: svm_on(fc6),
    "svm on vlad": lambda: svm_on(vlad),
}
FIELDS = ("logits", "temporal_scores", "temporal_attention")
BY_STREAM = ("spatial_attention", "logits_by_stream", "temporal_attention_by_stream", "gates")


@pytest.mark.parametrize("name", NETWORKS)
def test_in_parts_it_says_what_it_says_at_once(name: str) -> None:
    network = randomised(NETWORKS[name]().double()).eval()
    assert isinstance(network, Network)
    maps = random_maps(CHANNELS, segments=7)
    parts = zip(*(of.split([1, 4, 2], dim=1) for of in maps.values()), strict=True)
    with torch.inference_mode():
        whole = network.attend(maps)
        found = network.decide([network.encode(dict(zip(maps, part, strict=True))) for part in parts])
    for field in FIELDS:
        torch.testing.assert_close(getattr(found, field), getattr(whole, field), atol=1e-12, rtol=1e-10)
    for field in BY_STREAM:
        ours, theirs = getattr(found, field), getattr(whole, field)
        assert list(ours) == list(theirs)
        for stream in ours:
            torch.testing.assert_close(ours[stream], theirs[stream], atol=1e-12, rtol=1e-10)
    assert found.stream_weights == pytest.approx(whole.stream_weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_encoded_is_small(name: str) -> None:
    """No backbone's maps are kept, unless the attention over regions needs all steps before."""
    network = NETWORKS[name]().double()
    maps = random_maps(CHANNELS, segments=7)
    encoded = _numbers(network.encode(maps))
    assert (encoded >= sum(of.numel() for of in maps.values())) == (
        name in ("spatial_attention", "soft_attention")
    )


def _numbers(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel()
    if isinstance(value, dict):
        return sum(_numbers(of) for of in value.values())
    return sum(_numbers(of) for of in vars(value).values()) if hasattr(value, "__dict__") else 0


def test_branches_of_any_names() -> None:
    """The names say which streams go in, and name what comes out and what is saved."""
    one, other = branches("gru").values()
    network = randomised(TAN(one, other, 3, dropout=0.0, names=("sound", "depth")).double())
    usual = TAN(*branches("gru").values(), 3, dropout=0.0).double()
    usual.load_state_dict(
        {
            key.replace("sound", "frame").replace("depth", "flow"): of
            for key, of in network.state_dict().items()
        }
    )
    maps = random_maps(CHANNELS)
    found = network({"sound": maps["frame"], "depth": maps["flow"]})
    expected = usual(maps)
    assert list(found.gates) == list(found.step_logits) == list(found.logits_by_stream) == ["sound", "depth"]
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.step_logits["depth"], expected.flow_logits)
