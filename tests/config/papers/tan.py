"""What TAN's text says of its tables and figures."""

from __future__ import annotations

from typing import Any

from tests.config.papers.rows import STAN_TRAINING, Published, Row, Settings, Table, network

# 2.2: "single optical flow field", "flow-x, flow-y and their quadratic mean"; ImageNet for both branches.
# 2.3: "we only use 5 samples", "4 corners and 1 center, and their horizontal flipping", "the last
# prediction". 3.2: "GoogLeNet", "GRU as our LSTM implementation", "TVL1". It says nothing of how it is
# trained: as STAN, which is a reading.
TAN_SETTINGS: Settings = {
    **STAN_TRAINING,
    "segments.train": 5,
    "segments.test": 5,
    "segments.test_every": None,
    "segments.crops": 10,
    "input.size": 224,
    "data.val_fraction": 0.0,
    "model.classifier": "linear",
}
GATED: Settings = {"model.cell": "gru", "model.lstm_hidden": 1024}  # the second is a reading
CNNS = "tan-table-1#{}-cnn-stage"


def tan(dataset: str, *, first_split: bool = True, weights: str = "pretrained", **keys: Any) -> Settings:
    """A network of both branches on GoogLeNets that begin with ``weights``."""
    kind = {"kind": "tan", "init_from": None, **keys}
    branches: Settings = {}
    for name in ("frame", "flow"):
        branches |= {
            f"model.streams.{name}.backbone": "googlenet",
            f"model.streams.{name}.weights": weights,
            f"model.streams.{name}.train_from": "all",
        }
    return {
        **TAN_SETTINGS,
        **({} if kind["kind"] == "cnn" else GATED),
        "flow.method": "paper",
        "flow.fields": 1,
        "flow.form": "picture",
        "flow.quadratic_mean": "motion",  # reading
        **branches,
        "data.dataset": dataset,
        "data.splits": (1,) if first_split else None,
        **network("frame flow", **kind),
    }


def _with_tan(network_alone: float, fused: float) -> Published:
    return (("top1", network_alone), ("top1_fused", fused))


NOT_OF_UCF101 = "the paper's table has no value there"
TABLE_1 = (
    Row("CNN on ImageNet, HMDB51", "hmdb51-cnn-on-imagenet", tan("hmdb51"), _with_tan(60.5, 69.0)),
    Row("CNN on ImageNet, UCF101", "ucf101-cnn-on-imagenet", tan("ucf101"), _with_tan(86.2, 91.8)),
    Row(
        "CNN (on the target), HMDB51",
        "hmdb51-cnn-on-target",
        tan("hmdb51", weights=CNNS.format("hmdb51")),
        _with_tan(68.6, 73.0),
    ),
    Row(
        "CNN (on the target), UCF101",
        "ucf101-cnn-on-target",
        tan("ucf101", weights=CNNS.format("ucf101")),
        _with_tan(92.0, 93.8),
    ),
    Row(
        "CNN on UCF101, HMDB51",
        "hmdb51-cnn-on-ucf101",
        tan("hmdb51", weights=CNNS.format("ucf101")),
        _with_tan(70.3, 73.7),
    ),
    Row("CNN on UCF101, UCF101", why=NOT_OF_UCF101),
    Row(
        "TAN on UCF101, HMDB51",
        "hmdb51-tan-on-ucf101",
        tan("hmdb51", init_from="tan-table-1#ucf101-cnn-on-target"),
        _with_tan(70.2, 73.9),
    ),
    Row("TAN on UCF101, UCF101", why=NOT_OF_UCF101),
    Row("no row: the CNNs of UCF101", "ucf101-cnn-stage", tan("ucf101", kind="cnn")),
    Row("no row: the CNNs of HMDB51", "hmdb51-cnn-stage", tan("hmdb51", kind="cnn")),
)


def _fused(*values: float) -> Published:
    return tuple(("top1_fused", value) for value in values)


# 3.3: "in the rest of the paper, we will use the model which pre-trains TAN on UCF101"
ALL_SPLITS = {
    "hmdb51": tan("hmdb51", first_split=False, init_from="tan-table-2#ucf101-tan"),
    "ucf101": tan("ucf101", first_split=False, weights=CNNS.format("ucf101")),
}
TABLE_2 = (
    Row("HMDB51", "hmdb51-tan", ALL_SPLITS["hmdb51"], _fused(72.5, 73.9, 71.7, 71.9, 72.5)),
    Row("UCF101", "ucf101-tan", ALL_SPLITS["ucf101"], _fused(94.1, 93.8, 94.5, 94.0, 94.1)),
)
TABLE_5_OTHERS = {  # HMDB51 and UCF101
    "MIFS": (65.1, 89.1),
    "Two-stream ConvNets": (59.4, 88.0),
    "TDD+FV": (63.2, 90.3),
    "Multi-branch attention": (61.7, 90.6),
    "sDTD": (65.2, 92.2),
    "Conv Fusion": (65.4, 92.5),
    "TSN (Inception-BN)": (69.4, 94.2),
}
TABLE_5 = (
    *(
        Row(
            name,
            published=(("HMDB51", hmdb51), ("UCF101", ucf101)),
            why="it is another method; its value stands below those of tan-table-2",
        )
        for name, (hmdb51, ucf101) in TABLE_5_OTHERS.items()
    ),
    Row("Ours", published=(("HMDB51", 72.5), ("UCF101", 94.1)), why="as Table 2: `tan-table-2`"),
)
TABLE_3 = (
    Row(
        "Two-stream CNNs+LSTMs",
        "hmdb51-two-stream",
        tan("hmdb51", kind="two_stream", weights=CNNS.format("hmdb51")),  # what it begins with: reading
        (("top1_frame", 46.2), ("top1_flow", 50.3), ("top1", 58.4)),
    ),
    Row(
        "TAN",
        "hmdb51-tan",
        tan("hmdb51", init_from="tan-table-1#ucf101-cnn-on-target"),  # 70.2: Table 1's last row
        (("top1_frame", 51.4), ("top1_flow", 60.3), ("top1", 70.2)),
    ),
)
_ONE_BRANCH = {key: value for key, value in tan("hmdb51", first_split=False).items() if "flow" not in key}
TABLE_4 = (
    Row(
        "Soft attention, HMDB51",
        "hmdb51-soft-attention",
        {**_ONE_BRANCH, **network("frame", kind="soft_attention")},
        (("top1", 41.3),),
    ),
    Row(
        "Multi-branch attention",
        published=(("HMDB51", 61.7), ("UCF101", 90.6)),
        why="it is another method; its value stands below ours in the table",
    ),
    Row(
        "Spatial attention (SA), UCF101",
        "ucf101-spatial-attention",
        tan("ucf101", kind="spatial_attention"),  # 3.3: "on the first split of UCF101"
        (("top1", 81.95),),
    ),
    Row(
        "SA + pre-train CNN, UCF101",
        "ucf101-spatial-attention-pretrained",
        tan("ucf101", kind="spatial_attention", weights=CNNS.format("ucf101")),
        (("top1", 88.47),),
    ),
    Row(
        "TAN, HMDB51",
        "hmdb51-tan",
        tan("hmdb51", first_split=False, init_from="tan-table-4#ucf101-tan"),
        (("top1", 68.3),),
    ),
    Row(
        "TAN, UCF101",
        "ucf101-tan",
        tan("ucf101", first_split=False, weights=CNNS.format("ucf101")),
        (("top1", 92.1),),
    ),
)


def _way(name: str, row: str, value: float, *classes: tuple[str, float], **keys: Any) -> Row:
    """A way to fuse, of Fig. 3, on the CNNs of UCF101; that all begin so is a reading."""
    settings = tan("ucf101", weights=CNNS.format("ucf101"), **keys)
    return Row(name, row, settings, (("top1", value), ("top1_frame", None), ("top1_flow", None), *classes))


FIGURE_3 = (
    _way("FC", "ucf101-fc", 81.4, kind="fc"),
    _way("BS", "ucf101-bs", 80.0, kind="branch_selection"),
    _way("BS+L2", "ucf101-bs-l2", 83.9, kind="branch_selection"),
    _way(
        "Average",
        "ucf101-average",
        90.2,
        ("top1_of_Lunges", 59.4),
        ("top1_of_Nunchucks", 28.5),
        kind="two_stream",
    ),
    _way("TAN", "ucf101-tan", 92.0, ("top1_of_Lunges", 81.0), ("top1_of_Nunchucks", 71.0)),
)

TAN = (
    Table("Fig. 1 and 2", "Postures of an action, and a drawing of the network: `attcell.nn.TAN`."),
    Table(
        "Table 1",
        "What TAN begins with, on the first splits. TAN+ is TAN with the scores of MIFS. How it is trained "
        "is STAN's, which is a reading.",
        "tan-table-1",
        TABLE_1,
    ),
    Table("Table 2", "TAN+ on all splits: their mean, and each.", "tan-table-2", TABLE_2),
    Table(
        "Table 3",
        "HMDB51's first split, each branch and both. What the two-stream network began with is not said.",
        "tan-table-3",
        TABLE_3,
    ),
    Table(
        "Table 4",
        "TAN without MIFS beside other attention. The two of spatial attention are of the first split by the "
        "text; that the others are of all splits is a reading.",
        "tan-table-4",
        TABLE_4,
    ),
    Table("Table 5", "TAN+ beside other methods, on all splits.", "", TABLE_5),
    Table(
        "Fig. 3 and 4",
        "Ways to fuse the branches, on UCF101's first split; and two classes of 101 that gain most from TAN.",
        "tan-figure-3",
        FIGURE_3,
        "attcell score classes runs/protocol/tan-figure-3-ucf101-tan/split1-seed0/test-test/scores.json "
        "--against runs/protocol/tan-figure-3-ucf101-average/split1-seed0/test-test/scores.json "
        "--picture gain.png",
    ),
)
