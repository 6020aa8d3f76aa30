"""How much the suite of generated videos makes and trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attcell.research.suites import networks as stages
from attcell.research.suites.videos import FLOW_METHOD, FLOW_SIDE


@dataclass(frozen=True)
class Size:
    """How much is made and trained. Videos are counted by class and split.

    Attributes:
        seeds: of trainings; each has untrimmed test videos of its own.
        trimmed: for the CNNs.
        untrimmed: for everything else.
        small: the small set of trimmed videos, of more classes.
        cnn_epochs: of each stream's CNN. Without that of clips there is no network of three streams.
        epochs: of a network on frozen CNNs, on untrimmed videos; on trimmed ones half of it.
        branch_epochs: of TAN and its rivals, on untrimmed videos.
        small_epochs: of each CNN on the small set.
        calibrated: training videos of each class that detection is calibrated on.
        deleted: test videos of each class of which regions and segments are taken away.
        reaches_bounds: whether claims with a bound are expected to hold, and not only the orders.
    """

    seeds: int
    trimmed: Mapping[str, int]
    untrimmed: Mapping[str, int]
    small: Mapping[str, int]
    cnn_epochs: Mapping[str, int]
    epochs: int
    branch_epochs: int
    small_epochs: int
    calibrated: int
    deleted: int
    reaches_bounds: bool

    @property
    def has_clips(self) -> bool:
        """Whether there is a third stream."""
        return "clip" in self.cnn_epochs


FULL = Size(
    seeds=3,
    trimmed={"train": 60, "val": 10},
    untrimmed={"train": 80, "val": 8, "test": 16},
    small={"train": 8, "val": 3, "test": 10},
    cnn_epochs={"frame": 16, "flow": 10, "clip": 3},
    epochs=16,
    branch_epochs=10,
    small_epochs=10,
    calibrated=5,
    deleted=3,
    reaches_bounds=True,
)
QUICK = Size(
    seeds=1,
    trimmed={"train": 22, "val": 3},
    untrimmed={"train": 16, "val": 3, "test": 7},
    small={"train": 4, "val": 1, "test": 3},
    cnn_epochs={"frame": 20, "flow": 8},
    epochs=12,
    branch_epochs=8,
    small_epochs=5,
    calibrated=2,
    deleted=1,
    reaches_bounds=False,
)


# What stands above the table of claims on generated videos: what was made, trained and measured.


def setting(size: Size) -> str:
    """Paragraphs on the videos, the networks, the small set and the figures."""
    figures = f"{_figure_words(size)} {_deletion_words(size)}"
    return "\n\n".join([_videos(size), _networks(size), _small_set(size), figures])


def _videos(size: Size) -> str:
    seeds = "one seed" if size.seeds == 1 else f"{size.seeds} seeds"
    short = (
        " **A quick run: few videos, and no stream of clips; so no figure is established, "
        "and only orders that are clear in a full run are expected.**"
    )
    return (
        "*Videos*: of 6 classes, each an appearance and a path. In untrimmed ones a quarter of the time is "
        "action, and decoys show the wrong appearance and the wrong motion. "
        f"{6 * size.untrimmed['train']} untrimmed training videos with labels of whole videos alone; {seeds} "
        f"of all trainings but the CNNs', each tested on {6 * size.untrimmed['test']} videos of its own (the "
        "training videos, and everything that is trimmed, are the same for all). Frames, and flow "
        f"(TV-L1, {FLOW_METHOD}) computed from them at {FLOW_SIDE} pixels."
        f"{'' if size.reaches_bounds else short}"
    )


def _networks(size: Size) -> str:
    of_clips = ("; that of clips begins as that of frames", ", and on the last of that of clips")
    begins, last = of_clips if size.has_clips else ("", "")
    return (
        f"*Networks*: CNNs from nothing, trained once on {6 * size.trimmed['train']} trimmed videos and "
        f"frozen{begins}. On them {size.epochs} epochs of each network ({size.branch_epochs} of TAN and its "
        "rivals), the best checkpoint by validation accuracy; 12 segments in training, and at test 48, or 24 "
        "steps of TAN and its rivals. They stand on the map before the last of the CNNs of frames and flow, "
        f"whose regions see about as much as a figure{last}. Late fusion's weights are tuned on validation "
        "videos. TAN and its rivals are GRUs on the same CNNs. *Alone* is what one stream or branch of a "
        "network says by itself, with the checkpoint that is the best for all of them (of FC fusion with the "
        "other's outputs at zero, which it has not learnt with); *share* how much of the sum a gate gives to "
        "a branch: a branch that dominates shows there."
    )


def _small_set(size: Size) -> str:
    classes, epochs = stages.NUM_CLASSES, size.epochs // 2
    return (
        f"*The small set*: {classes * size.small['train']} trimmed videos of {classes} classes, five of "
        f"which the large set has too, and {classes * size.small['test']} for the test, the same for all "
        f"seeds; {epochs} epochs in batches of four, four segments, and the CNNs' last map where no other is "
        "named. Gains on it and on untrimmed videos are of different numbers of videos, classes and "
        "segments. *The large set* is the CNNs'. TAN on its own CNNs: those that learnt from the small set, "
        f"with each seed anew, {size.small_epochs} epochs. Without a stage nothing is frozen or "
        "standardised, and TAN learns all at once and from nothing, with as many passes as its CNNs and it "
        "together."
    )


def _figure_words(size: Size) -> str:
    return (
        "*Figures*: percent. Test videos are read once, a sample every 5 frames, for peaks, ROC area and "
        "detection: mAP at an overlap of 0.5 by THUMOS14's protocol, with thresholds chosen on "
        f"{6 * size.calibrated} training videos by their labels; of intervals at random, as many and as "
        "long as the default rule finds."
    )


def _deletion_words(size: Size) -> str:
    return (
        "Deletion: 100 minus the area under the class's probability as what an order calls important is "
        "taken away first; insertion: the area as it is given first; "
        f"of {6 * size.deleted} test videos. High is good in both."
    )


def temporal_setting(size: Size, descriptors: int) -> str:
    """The same of the suite of temporal attention, whose streams have so many descriptors each."""
    return "\n\n".join([_videos(size), _temporal_networks(size, descriptors), _figure_words(size)])


def _temporal_networks(size: Size, descriptors: int) -> str:
    small = {part: stages.NUM_CLASSES * size.small[part] for part in ("train", "test")}
    return (
        f"*Networks*: CNNs from nothing, trained once on {6 * size.trimmed['train']} trimmed videos and "
        "frozen; on them STANs of frames and flow with early fusion, which differ in nothing but what "
        f"weights the segments: {descriptors} descriptors a stream, 128 hidden numbers in whatever weights "
        f"them. {size.epochs} epochs on untrimmed videos, on the CNNs' map before the last, 12 segments in "
        f"training and 48 at test. *Trimmed*: {small['train']} videos of {stages.NUM_CLASSES} classes, and "
        f"{small['test']} for the test, the same for all seeds, four segments, the CNNs' last map, half as "
        "many epochs. The best checkpoint by validation accuracy. *None*: SAN. Settings are those of the "
        "suite generated, which were tried with the LSTM alone."
    )
