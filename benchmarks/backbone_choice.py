"""Which frozen backbone to begin with, and what to show it: accuracy with whole groups left out, and time.

    uv run python -m benchmarks.backbone_choice [--out runs/backbone_choice] [--processes 2]

Weizmann (actors left out), UT-Interaction set 1 (sequences left out), and a generated folder whose cameras
pan and shake (parts of whole groups left out). One simple way for all rows: the maps of a video's segments
averaged to one vector, streams side by side, and a linear SVM whose C is chosen inside the videos that are
left (``attcell.training.svm_fit``). Nothing is trained but that. ``small`` is the package's own, which knows
generated figures alone, and sees pictures of half the side. Other networks have random weights: they stand
for their cost.

What a backbone makes of a video is kept in ``--out``; broken off, the same command goes on. ``--table`` makes
the table of what is there; the rest has a dash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from attcell._files import write_json, write_text, written_whole
from attcell._log import messages_on_stderr, track
from attcell._parallel import one_thread, process_pool
from attcell.config.recipe import Recipe, check_recipe
from attcell.data.annotations.reading import Annotation
from attcell.data.annotations.weizmann_ut_interaction import read_ut_interaction, read_weizmann
from attcell.data.folds import make_folds
from attcell.inference.run import decide_views, encode_part
from attcell.metrics.recognition import truth_matrix
from attcell.metrics.statistics import accuracy_interval
from attcell.models.build import build_network, evaluation_plan, input_spec
from attcell.models.weights import SHIPPED_INPUT, shipped_weights
from attcell.nn import Network, SVMNetwork
from attcell.nn.outputs import PooledOutput
from attcell.synth.grouped import CLASSES, plan_groups, write_grouped
from attcell.training.svm_fit import choose_and_fit
from attcell.types import VideoRecord
from attcell.video.parts import ViewParts
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
SEGMENTS, SEED = 5, 0  # as many segments as attcell train FOLDER looks at
GROUPS, CLIPS = 16, 60  # of the generated folder
FORMS = {"stack": {"form": "stack", "fields": 10}, "picture": {"form": "picture", "fields": 1}}
INPUTS = (
    "frame",
    *(f"{form} {camera}" for form in ("picture", "stack") for camera in ("keep", "homography", "median")),
)
BACKBONES = ("squeezenet", "efficientnet_lite0", "small")
WHERE = {
    "squeezenet": ("squeezenet", "squeezenet1_0_imagenet.safetensors"),
    "efficientnet_lite0": ("timm/tf_efficientnet_lite0", "tf_efficientnet_lite0.safetensors"),
}
BY_COST = (
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "resnet50",
    "convnext_tiny",
    "vit_small_patch14_dinov2",
)

T = TypeVar("T")


@dataclass(frozen=True)
class Folder:
    """Videos of one data set, each with its group."""

    name: str
    records: tuple[VideoRecord, ...]
    num_classes: int
    left_out: str

    @property
    def groups(self) -> list[str]:
        """Of each video."""
        return [record.group for record in self.records]

    @property
    def classes(self) -> np.ndarray:
        """(N,) the class of each video."""
        return np.array([record.label for record in self.records])


@dataclass(frozen=True)
class Job:
    """What every backbone makes of one input of one video, and the file where that is kept."""

    video: Path
    seen: str
    file: Path


def main() -> None:
    """Compute what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/backbone_choice"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="of what is there already")
    given = parser.parse_args()
    out = given.out.absolute()
    with messages_on_stderr(), one_thread():
        folders = _folders(out)
        if not given.table:
            _compute(_jobs(out, folders), given.processes)
        text = _table(Results(out, folders))
        write_text(RESULTS / "backbone_choice.md", text)
    print(text)


def _folders(out: Path) -> list[Folder]:
    data = data_folder()
    if data is None:
        raise SystemExit("no real clips here: set ATTCELL_DATA, or put them into ../shared/data")
    sets = [
        _annotated("Weizmann", data / "weizmann", read_weizmann, "9 actors"),
        _annotated("UT-Interaction 1", data / "ut_interaction_set1", read_ut_interaction, "10 sequences"),
    ]
    place = write_grouped(out / "generated", seed=SEED, groups=GROUPS, clips=CLIPS)
    names = [name for group in plan_groups(SEED, GROUPS, CLIPS) for name in group.names()]
    clips = [
        VideoRecord(
            name, place / name, (CLASSES.index(Path(name).parent.name),), Path(name).stem.split("_")[0]
        )
        for name in names
    ]
    return [*sets, Folder("generated", tuple(clips), len(CLASSES), f"{GROUPS} groups, a fifth at a time")]


def _annotated(name: str, folder: Path, read: Callable[[Path, int], Annotation], left_out: str) -> Folder:
    found = read(folder, 1)
    videos = [video for part in ("train", "test") for video in found.parts[part]]
    records = [VideoRecord(video.id, folder / video.id, video.labels, video.group) for video in videos]
    return Folder(name, tuple(records), len(found.labels), f"{left_out}, one at a time")


def _jobs(out: Path, folders: Sequence[Folder]) -> list[Job]:
    """Input by input, so that a run that is broken off has whole rows."""
    return [
        Job(record.path, seen, _file(out, folder, record, seen))
        for seen in INPUTS
        for folder in folders
        for record in folder.records
    ]


def _file(out: Path, folder: Folder, record: VideoRecord, seen: str) -> Path:
    name = hashlib.sha256(f"{_made_by(seen)} {record.id}".encode()).hexdigest()[:24]
    return out / "features" / folder.name / f"{name}.npz"


@cache
def _made_by(seen: str) -> str:
    """What the vectors of an input depend on: of other recipes they lie in other files."""
    found = []
    for backbone in _backbones(seen):
        values = _recipe(backbone, seen).model_dump(include={"input", "flow", "segments", "model"})
        for section in values["model"]["streams"].values():
            section["weights"] = Path(section["weights"]).name  # wherever they lie
        found.append(values)
    return json.dumps(found)


def _backbones(seen: str) -> tuple[str, ...]:
    """Those that see an input; the small one knows no pictures of flow."""
    return BACKBONES[: 2 if seen.startswith("picture") else 3]


def _recipe(backbone: str, seen: str) -> Recipe:
    """Pooled features of one stream; its weights only where this machine has them."""
    form, _, camera = seen.partition(" ")
    stream = "frame" if seen == "frame" else "flow"
    flow = {"method": "fast", "short_side": 112, **FORMS.get(form, {})}
    pictures = {"size": 224, "short_side": 224}
    if backbone == "small":
        section = {"backbone": "small", "weights": str(shipped_weights(stream))}
        pictures, flow = SHIPPED_INPUT["input"], {**flow, **SHIPPED_INPUT["flow"]}
    elif backbone in BY_COST:
        section = {"backbone": f"timm/{backbone}", "weights": "none"}
    else:
        section = {
            "backbone": WHERE[backbone][0],
            "weights": str((data_folder() or Path()) / WHERE[backbone][1]),
        }
    values = {
        "data": {"train": "videos"},
        "input": {"resize": "squash", **pictures},
        "flow": {**flow, "camera": camera or "keep"},
        "segments": {"train": SEGMENTS, "test": SEGMENTS},
        "model": {
            "kind": "pooled",
            "classifier": "svm",
            "streams": {stream: {**section, "train_from": "none"}},
        },
    }
    return check_recipe(values, source=f"{backbone}, {seen}")


@cache
def _network(backbone: str, seen: str) -> Network:
    torch.manual_seed(SEED)
    network = build_network(_recipe(backbone, seen), 2, load_weights=True).eval()
    assert isinstance(network, SVMNetwork), "it is pooled"
    return network.body


def _compute(jobs: Sequence[Job], processes: int) -> None:
    missing = [job for job in jobs if not job.file.exists()]
    with process_pool(processes, threads=1) as pool:
        futures = [pool.submit(_represent, job) for job in missing]
        for future in track(as_completed(futures), len(futures), "videos"):
            future.result()


def _represent(job: Job) -> None:
    """Keep each backbone's vector of a video, and the processor time of its input and of the backbone."""
    found: dict[str, np.ndarray] = {}
    inputs: dict[str, tuple[Any, float]] = {}
    for backbone in _backbones(job.seen):
        size = str(_recipe(backbone, job.seen).input.size)
        if size not in inputs:
            inputs[size] = _timed(partial(_views, job.video, _recipe(backbone, job.seen)))
        views, of_input = inputs[size]
        vector, of_backbone = _timed(partial(_vector, _network(backbone, job.seen), views))
        found[backbone] = vector
        found[f"{backbone} seconds"] = np.array([of_input, of_backbone])
    with written_whole(job.file) as file:
        np.savez(file, **found)  # type: ignore[arg-type]


def _views(video: Path, recipe: Recipe) -> list[dict[str, Tensor]]:
    views: list[dict[str, Tensor]] = []
    for part in ViewParts(video, input_spec(recipe), evaluation_plan(recipe)):
        views = [*views, part.views] if part.start else [part.views]
    return views


def _vector(network: Network, views: list[dict[str, Tensor]]) -> np.ndarray:
    (output,) = decide_views(network, [encode_part(network, part) for part in views])
    assert isinstance(output, PooledOutput)
    return output.video[0].numpy()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    return work(), time.process_time() - start


@dataclass(frozen=True)
class Row:
    """A backbone and what it sees."""

    backbone: str
    seen: tuple[str, ...]


def _rows() -> list[Row]:
    rows = []
    for backbone in BACKBONES:
        flows = [seen for seen in INPUTS[1:] if backbone in _backbones(seen)]
        looks = [("frame",), *((seen,) for seen in flows), *(("frame", seen) for seen in flows)]
        rows += [Row(backbone, look) for look in looks]
    return rows


@dataclass(frozen=True)
class Results:
    """What the kept vectors say; which videos of a row are told right is kept too."""

    out: Path
    folders: Sequence[Folder]

    def right(self, row: Row, folder: Folder) -> np.ndarray | None:
        """(N,) whether each video is told right by an SVM that knows none of its group; None where vectors
        are missing."""
        files = [[_file(self.out, folder, record, seen) for seen in row.seen] for record in folder.records]
        if not all(file.exists() for of_video in files for file in of_video):
            return None
        name = hashlib.sha256(f"{row} {[file.name for of in files for file in of]}".encode()).hexdigest()[:24]
        kept = self.out / "right" / f"{name}.json"
        if not kept.exists():
            vectors = [np.concatenate([np.load(file)[row.backbone] for file in of]) for of in files]
            write_json(str(kept), _told_right(np.stack(vectors), folder).tolist())
        return np.array(json.loads(kept.read_text(encoding="utf-8")), dtype=bool)

    def seconds(self, row: Row) -> tuple[float, float] | None:
        """The mean processor time of a real video's inputs, and of the backbone."""
        real = [(folder, record) for folder in self.folders[:2] for record in folder.records]
        files = [_file(self.out, *of, seen) for of in real for seen in row.seen]
        if not all(file.exists() for file in files):
            return None
        spent = np.stack([np.load(file)[f"{row.backbone} seconds"] for file in files]).sum(axis=0) / len(real)
        return float(spent[0]), float(spent[1])


def _told_right(vectors: np.ndarray, folder: Folder) -> np.ndarray:
    """Each group is left out once, and the SVM's C chosen among the others."""
    right = np.zeros(len(vectors), dtype=bool)
    truth = truth_matrix([record.labels for record in folder.records], folder.num_classes)
    for left_out in make_folds(truth, folder.groups, SEED).left_out:
        kept = np.setdiff1d(np.arange(len(vectors)), left_out)
        groups = [folder.groups[place] for place in kept]
        _, svm, _ = choose_and_fit(vectors[kept], truth[kept], groups, SEED)
        with torch.inference_mode():
            margins = svm(torch.from_numpy(vectors[left_out]).float()).numpy()
        right[left_out] = margins.argmax(axis=1) == folder.classes[left_out]
    return right


def _table(results: Results) -> str:
    folders = results.folders
    sets = "; ".join(f"{of.name}: {len(of.records)} videos, {of.left_out}" for of in folders)
    lines = [
        f"Accuracy in percent, with its 95 % interval over groups. {sets}. {SEGMENTS} segments, one view; "
        "maps averaged over regions and segments, streams side by side, a linear SVM whose C is chosen on "
        "the videos that are left. Flow `fast` on half the side of the picture. Processor time of a video of "
        "the two real sets, on one thread: decoding and flow, and the backbone; of frame and flow the sum. "
        f"Seed {SEED}. {machine()}.",
        "",
        "SqueezeNet and EfficientNet-Lite0 hold ImageNet's weights; `small` is the package's own, trained on "
        "generated figures, so that its accuracy on generated clips says little.",
        "",
        f"| backbone | looks at | camera's motion | {' | '.join(of.name for of in folders)} | mean | input "
        "| backbone |",
        f"|---|---|---|{'---|' * len(folders)}---|---|---|",
    ]
    table = [_line(row, results) for row in track(_rows(), len(_rows()), "rows")]
    there = [line for line in table if not line.endswith("| – | – | – | – | – | – |")]
    lines += there
    if any("–" in line for line in table):
        lines += [
            "",
            "Rows of other flow, and those with a dash, are not computed yet: the same command goes on.",
        ]
    lines += ["", f"By cost alone, with random weights: {SEGMENTS} pictures of 224² on one thread.", ""]
    lines += ["| backbone | numbers of a picture | backbone |", "|---|---|---|"]
    lines += [_cost_line(backbone) for backbone in (*BACKBONES[:2], *BY_COST)]
    return "\n".join(lines) + "\n"


def _line(row: Row, results: Results) -> str:
    accuracies = []
    cells = []
    for folder in results.folders:
        right = results.right(row, folder)
        if right is None:
            cells.append("–")
            continue
        low, high = accuracy_interval(right, folder.groups)
        accuracies.append(100 * right.mean())
        cells.append(f"{accuracies[-1]:.1f} ({100 * low:.0f} to {100 * high:.0f})")
    whole = len(accuracies) == len(results.folders)
    spent = results.seconds(row)
    times = ["–", "–"] if spent is None else [f"{seconds:.2f} s" for seconds in spent]
    form, _, camera = row.seen[-1].partition(" ")
    flow = f"flow as {form}" if camera else ""
    looks = flow if len(row.seen) == 1 and flow else " and ".join(filter(None, ("frame", flow)))
    mean = f"{np.mean(accuracies):.1f}" if whole else "–"
    return f"| {' | '.join([row.backbone, looks, camera or '', *cells, mean, *times])} |"


def _cost_line(backbone: str) -> str:
    network = _network(backbone, "frame")
    pictures = torch.randint(0, 256, (1, SEGMENTS, 3, 224, 224), dtype=torch.uint8)
    spent = [_timed(partial(_vector, network, [{"frame": pictures}])) for _ in range(2)]
    return f"| {backbone} | {len(spent[0][0])} | {min(seconds for _, seconds in spent):.2f} s |"


if __name__ == "__main__":
    main()
