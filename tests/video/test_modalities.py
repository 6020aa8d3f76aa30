"""The registry of modalities: what is in it, and what is refused."""

from __future__ import annotations

import pytest
import torch

from attcell.errors import CallError
from attcell.video import modalities
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.modalities import Modality, modality, modality_names, register


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(modalities, "_MODALITIES", modalities._MODALITIES.copy())


def test_five_come_with_attcell():
    assert modality_names() == ("frame", "flow", "clip", "audio", "features")
    takes = ["picture", "picture", "clip", "picture", "features"]
    assert [modality(name).takes for name in modality_names()] == takes
    assert [modality(name).backbone for name in modality_names()] == [
        "vgg16",
        "vgg16",
        "c3d",
        "small",
        "given",
    ]
    looks_at = ["frames", "frames", "frames", "sound", "features"]
    assert [modality(name).looks_at for name in modality_names()] == looks_at


@pytest.mark.parametrize(
    ("flow", "channels", "figures"),
    [
        (FlowInput(fields=3, deviation=10.0), 6, ([128.0] * 6, [10.0] * 6)),
        (FlowInput(fields=1, form="picture"), 3, ([127.5] * 3, [63.75] * 3)),
    ],
)
def test_flow_has_the_channels_and_figures_of_its_form(flow, channels, figures):
    spec = InputSpec(("flow",), flow=flow, mean=(0.5,) * 3, deviation=(0.25,) * 3)
    assert modality("flow").channels(spec) == channels
    assert modality("flow").figures(spec) == figures


def test_the_quadratic_mean_is_told_apart():
    codes = torch.tensor([100, 60], dtype=torch.uint8).reshape(1, 1, 2, 1, 1).expand(1, 1, 2, 4, 4)
    specs = [InputSpec(("flow",), flow=FlowInput(fields=1, form="picture", quadratic_mean=of))
             for of in ("motion", "codes")]  # fmt: skip
    flow = modality("flow")
    seen = [flow.arrange(codes, spec)[0, :, 0, 0].tolist() for spec in specs]
    assert seen == [[100, 60, 180], [100, 60, 82]]  # 128 + √((28² + 68²) / 2), and √((100² + 60²) / 2)
    assert [flow.described(spec)["flow.quadratic_mean"] for spec in specs] == ["motion", "codes"]
    assert ["quadratic mean of the codes" in flow.words(spec)["flow"] for spec in specs] == [False, True]


def test_one_is_registered_once():
    entry = Modality("depth", modality("frame").reader)
    register(entry)
    register(entry)
    assert modality("depth") is entry
    with pytest.raises(
        CallError, match="there is a modality frame already; choose a name that is none of fr"
    ):
        register(Modality("frame", modality("clip").reader))
    with pytest.raises(CallError, match="name is 'optical flow'; allowed: letters, digits and _"):
        register(Modality("optical flow", modality("frame").reader))


def test_an_unknown_one_is_named_with_those_that_there_are():
    said = r"no modality is named 'flwo'; did you mean 'flow'\? allowed: frame, flow, clip, audio, features"
    with pytest.raises(CallError, match=said):
        modality("flwo")
