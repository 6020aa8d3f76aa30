"""A small good file of every kind, written in this process, for the readers of ``readers.py``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.damage.kinds import LABELS
from benchmarks.damage.worlds import make_one, small_recipe, write_model

Make = Callable[[Path], None]
FEATURES = 4  # numbers of a row
VIDEOS = tuple(f"{label}/{number}.mp4" for label in LABELS for number in range(2))


def both(first: Make, second: Make) -> Make:
    """What both write."""

    def make(folder: Path) -> None:
        first(folder)
        second(folder)

    return make


def of_world(name: str) -> Make:
    """As the campaign has it for the commands."""
    return lambda folder: make_one(name, folder, folder / "videos", folder / "models")


def of_text(name: str, text: str) -> Make:
    """A file with this text."""
    return lambda folder: _put(folder / name, text.encode())


def of_json(name: str, content: Any) -> Make:
    """A file with this content."""
    return lambda folder: _put(folder / name, json.dumps(content, indent=1).encode())


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# Recipes

TABLE = """\
about: two networks
data: {train: videos, workers: 0}
segments: {train: 2, test: 3}
model: &model
  kind: stan
  streams: {frame: {backbone: small, weights: none, conv6_channels: 8, train_from: none}}
  lstm_hidden: 8
train: {iterations: 2, batch_size: 2, accelerator: cpu}
rows:
  "{one,two}-a": {train: {learning_rate: 1e-3}}
  "one-*": {model: {<<: *model, kind: average}, name: "${words.row}"}
  "two-*": {train: {seed: 3}, input: {size: 32, short_side: 36}}
"""
OVERRIDES = "train.epochs=3\ntrain.iterations=null\nmodel.streams.frame.weights=none\ndata.root=a b\n"


def small_yaml(folder: Path) -> None:
    """``recipe.yaml``."""
    import yaml

    _put(folder / "recipe.yaml", yaml.safe_dump(small_recipe(Path("videos")), sort_keys=False).encode())


# Annotations


def list_file(folder: Path) -> None:
    """A list with its classes, and a CSV of groups."""
    lines = [f"{video} {LABELS.index(video.split('/')[0])}" for video in VIDEOS]
    rows = ["video,group", *(f"{video},g{place % 2}" for place, video in enumerate(VIDEOS))]
    for name, of in {"list.txt": lines, "labels.txt": LABELS, "groups.csv": rows}.items():
        _put(folder / name, "".join(f"{line}\n" for line in of).encode())


def ucf24_boxes(folder: Path) -> None:
    """UCF101-24's ``finalAnnots.mat``."""
    from scipy.io import savemat

    tube = {"sf": 2.0, "ef": 4.0, "boxes": np.array([[1.0, 2, 3, 4]] * 3), "class": 1.0}
    rows = np.zeros((1, 2), dtype=[("name", object), ("num_imgs", object), ("tubes", object)])
    for place in range(2):
        rows[0, place] = (f"run/v_run_g0{place}_c01", 6.0, tube)
    savemat(folder / "finalAnnots.mat", {"annot": rows}, do_compression=True)


BOXES = {
    "format": 1, "fps": 25.0, "size": [320, 240],
    "videos": {"run/a.mp4": {"num_frames": 4,
                             "tubes": [{"first_frame": 1, "boxes": [[1, 2, 3, 4], None, [2, 3, 4, 5]]}]}},
}  # fmt: skip
DURATIONS = "video_test_0000001.mp4\n12.5\nvideo_test_0000002.mp4\n8\n"
CLASSED = "video_validation_0000001 2 3\nvideo_validation_0000002\nvideo_validation_0000003 1\n"
WEIZMANN = "wave/daria_wave.avi\nwave/lena_wave2.avi\nrun/daria_run.avi\nrun/lena_run.avi\n"
UT_INTERACTION = "0_1_4.avi\n1_1_2.avi\n2_2_0.avi\n"


# Results


def scores(suffix: str) -> Make:
    """A file of scores, with a video that could not be read where the form can tell it."""

    def make(folder: Path) -> None:
        from attcell.results.scores import Scores, write_scores

        rows = np.round(np.random.default_rng(0).dirichlet(np.ones(3), len(VIDEOS)), 4)
        rows[-1] = np.nan
        truth = tuple((video.split("/")[0],) for video in VIDEOS)
        run = {"name": "small", "dataset": "ucf101", "split": 1, "seed": 0}
        of_run = {"run": run, "figures": {"top1": 50.0}, "protocol": {"crops": "1"}, "published": PUBLISHED}
        more = of_run if suffix == "json" else {}
        write_scores(folder / f"scores.{suffix}", Scores("scores", LABELS, VIDEOS, rows, truth), more)

    return make


PUBLISHED = [{"row": "a", "figure": "top1", "value": 90.0, "source": "somewhere"}]
_TRACK = {
    "attended_area": [0, 0, 1, 1], "segments_seconds": [[0, 1], [1, 2]], "frame_seconds": [0.5, 1.5],
    "temporal_scores": [0.1, 0.2], "temporal_attention": [0.4, 0.6],
    "spatial_attention": {"frame": [[[0.5, 0.5]], [[1.0, 0.0]]]},
    "hearing": {"audio": {"window_seconds": 0.5, "hertz": [20, 8000]}},
}  # fmt: skip
PREDICTIONS = {
    "model": "m",
    "predictions": [{"video": "a.mp4", **_TRACK}],
    "failed": {"b.mp4": "cannot be read"},
}


def generated_truth(folder: Path) -> None:
    """A ``truth.json`` of two videos, one with sound."""
    from attcell.synth.truth import SoundTruth, Truth, VideoTruth, write_truth
    from attcell.types import Size

    boxes = np.array([[np.nan] * 4, [1.0, 2, 5, 6], [2.0, 2, 6, 6]])
    sound = SoundTruth(((0.0, 0.1),), (200.0, 400.0), np.array([[0.0, 0.1, 200, 400]]))
    videos = {
        f"test/{label}/000.mp4": VideoTruth(label, 3, ((0.04, 0.12),), boxes, np.array([0, 1, 1], bool), of)
        for label, of in (("run", None), ("wave", sound))
    }
    write_truth(Truth("untrimmed", 0, Size(32, 24), 25.0, ("run", "wave"), videos), folder / "truth.json")


# Models


def model(folder: Path) -> None:
    """A model folder with a calibration."""
    import torch

    from attcell.inference.calibration import Calibration, write_calibration

    values = small_recipe(Path("videos"))
    values["model"] = {"kind": "average", "streams": {"features": {}}}
    write_model(folder, {**values, "features": {"dim": FEATURES}})
    weights = json.loads((folder / "config.json").read_text(encoding="utf-8"))["weights"]
    found = Calibration(torch.ones(len(LABELS), FEATURES), torch.zeros(len(LABELS)), 0.1, 0.2, 4, 2)
    write_calibration(folder, found, weights)


def pickled(folder: Path) -> None:
    """Weights as torch.save writes them, few ones."""
    import torch

    state = {"module.a.weight": torch.ones(2, 3), "module.a.bias": torch.zeros(3).half()}
    torch.save({"state_dict": state}, folder / "weights.pt")


def checkpoint(folder: Path) -> None:
    """The folder of a run that was broken off."""
    import torch

    from attcell.config.recipe import check_recipe
    from attcell.training.run_folder import write_recipe

    write_recipe(folder, check_recipe(small_recipe(folder / "videos"), "a sample"))
    (folder / "checkpoints").mkdir()
    state = {"state_dict": {"a": torch.ones(2, 3)}, "global_step": 3, "loops": {"fit": [1.0, None, "x"]}}
    torch.save(state, folder / "checkpoints" / "last.ckpt")


VIDEOMAE = {
    "model_type": "videomae", "architectures": ["VideoMAEForVideoClassification"], "image_size": 32,
    "patch_size": 16, "num_frames": 4, "tubelet_size": 2, "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 32, "id2label": {"0": "run", "1": "sit"},
    "label2id": {"run": 0, "sit": 1},
}  # fmt: skip
FRAMES = {
    "do_resize": True, "size": {"shortest_edge": 36}, "do_center_crop": True, "resample": 2,
    "crop_size": {"height": 32, "width": 32}, "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.3],
}  # fmt: skip
AST = {"model_type": "audio-spectrogram-transformer", "num_mel_bins": 32, "max_length": 48,
       "patch_size": 16, "frequency_stride": 10, "time_stride": 10, "hidden_size": 24}  # fmt: skip
SOUND = {"num_mel_bins": 32, "max_length": 48, "sampling_rate": 16000, "mean": -4.2, "std": 4.5}


# Features, flow and frames


def features(folder: Path) -> None:
    """``0.npy``."""
    rows = np.random.default_rng(0).standard_normal((6, FEATURES)).astype(np.float32)
    np.save(folder / "0.npy", rows)


def flow_files(form: str) -> Make:
    """Two fields of one video, in a folder or a ZIP file."""

    def make(folder: Path) -> None:
        from attcell.video.flow_files import DESCRIPTION, jpeg, new_flow_folder, new_flow_zip

        new = new_flow_zip(folder / "0.zip") if form == "zip" else new_flow_folder(folder / "0")
        with new as target:
            for number in (1, 2):
                for axis in "xy":
                    picture = np.full((6, 8), 60 * number, np.uint8)
                    target.write(f"flow_{axis}_{number:05d}.jpg", jpeg(picture))
            described = {"format": 1, "method": "fast", "bound": 20.0, "num_fields": 2, "num_frames": 3}
            target.write(DESCRIPTION, json.dumps(described).encode())

    return make


def frames(folder: Path) -> None:
    """A folder of three pictures, one with EXIF, and one of PNG."""
    from PIL import Image

    for number in (1, 2, 3):
        picture = np.full((12, 16, 3), 60 * number, np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(picture).save(folder / f"img_{number:05d}.jpg", exif=exif)
    (folder / "png").mkdir()
    Image.fromarray(picture).save(folder / "png" / "img_00001.png")
