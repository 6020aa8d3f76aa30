"""What stands above the table of claims on generated videos: what was made, trained and measured."""

from __future__ import annotations

from attcell.reproduce import stages
from attcell.reproduce.sizes import Size
from attcell.reproduce.videos import FLOW_SIDE

_FLOW = {"fast": "TV-L1, fast", "dis": "DIS"}


def setting(size: Size) -> str:
    """Paragraphs on the videos, the networks, the small set and the figures."""
    return "\n\n".join([_videos(size), _networks(size), _small_set(size), _figures(size)])


def _videos(size: Size) -> str:
    seeds = "one seed" if size.seeds == 1 else f"{size.seeds} seeds"
    short = (
        " **A quick run: few videos, no stream of clips, and a quicker flow; so no figure is established, "
        "and only orders that are clear in a full run are expected.**"
    )
    return (
        "*Videos*: of 6 classes, each an appearance and a path. In untrimmed ones a quarter of the time is "
        "action, and decoys show the wrong appearance and the wrong motion. "
        f"{6 * size.untrimmed['train']} untrimmed training videos with labels of whole videos alone; {seeds} "
        f"of all trainings but the CNNs', each tested on {6 * size.untrimmed['test']} videos of its own (the "
        "training videos, and everything that is trimmed, are the same for all). Frames, and flow "
        f"({_FLOW[size.flow]}) computed from them at {FLOW_SIDE} pixels."
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


def _figures(size: Size) -> str:
    return (
        "*Figures*: percent. Test videos are watched once, a sample every 5 frames, for peaks, ROC area and "
        "detection: mAP at an overlap of 0.5 by THUMOS14's protocol, with thresholds chosen on "
        f"{6 * size.calibrated} training videos by their labels. Deletion: 100 minus the area under the "
        "class's probability as what an order calls important is taken away first; insertion: the area as it "
        f"is given first; of {6 * size.erased} test videos. High is good in both."
    )
