"""Every function that reads a file which came from outside, to be called in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.damage import samples
from benchmarks.damage.samples import Make, both, of_json, of_text, of_world

Read = Callable[[Path], Any]
_MOST_NAMES = 30


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        name: of the kind of file.
        file: which is damaged, below the folder; or a pattern, whose first match is.
        make: writes a good one into a folder, with what is read beside it.
        read: what stands in the folder's file.
        is_text: lines and words of it are damaged too.
        is_file: it is read itself; else it holds overrides, or the names of files that are made to be read.
    """

    name: str
    file: str
    make: Make
    read: Read
    is_text: bool = True
    is_file: bool = True

    def place(self, folder: Path) -> Path:
        """The file in a folder that was made."""
        return sorted(folder.glob(self.file))[0]


# What is imported inside is so when it is first read, so that a fuzzer can see it come.


def _recipe(folder: Path) -> Any:
    from attcell.config.loading import merged_row, read_recipe_file

    file = read_recipe_file(folder / "recipe.yaml")
    rows = file.row_names or (None,)
    return [merged_row(file, row, ()).checked() for row in rows[:_MOST_NAMES]]


def _overridden(folder: Path) -> Any:
    from attcell.config.loading import load_recipe

    text = (folder / "overrides.txt").read_bytes().decode("utf-8", "replace")
    return load_recipe(folder / "recipe.yaml", text.splitlines()[:_MOST_NAMES])


def _listed(folder: Path) -> Any:
    from attcell.data.sources import read_source

    return read_source(folder / "list.txt")


def _groups(folder: Path) -> Any:
    from attcell.data.groups import read_groups

    return read_groups(folder / "groups.csv").groups


def _known_set(name: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.data.known_sets import read_known_set

        return read_known_set(name, folder)

    return read


def _of_names(name: str) -> Read:
    """Of a set whose names of videos say everything."""

    def read(folder: Path) -> Any:
        lines = (folder / "names.txt").read_bytes().decode("utf-8", "surrogateescape").split("\n")
        with _stubs(folder / "videos", lines[:_MOST_NAMES]) as place:
            return _known_set(name)(place)

    return read


@contextmanager
def _stubs(folder: Path, names: list[str]) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    try:
        for name in names:
            with suppress(OSError, ValueError):  # no name of a file
                path = folder / name.strip("/ \r")
                if folder in path.parents and ".." not in path.parts:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
        yield folder
    finally:
        shutil.rmtree(folder)


def _class_folders(folder: Path) -> Any:
    from attcell.data.sources import read_source

    lines = (folder / "names.txt").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    with _stubs(folder / "videos", lines[:_MOST_NAMES]) as place:
        return read_source(place)


def _durations(folder: Path) -> Any:
    from attcell.data.annotations.thumos14 import read_durations

    return read_durations(folder / "test_durations.txt")


def _class_numbers(folder: Path) -> Any:
    from attcell.data.annotations.thumos14 import read_class_numbers

    return read_class_numbers(folder / "detclasslist.txt")


def _boxes(name: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.data.truth import read_boxes

        return read_boxes(folder / name)

    return read


def _actions(folder: Path) -> Any:
    from attcell.data.truth import read_detection_truth

    return read_detection_truth(folder / "truth.json")


def _scores(suffix: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.results.scores import read_scores

        return read_scores(folder / f"scores.{suffix}")

    return read


def _run(folder: Path) -> Any:
    from attcell.results.runs import read_run

    return read_run(folder / "scores.json")


def _detections(name: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.results.detections import read_detections

        return read_detections(folder / name, {"run": 1, "sit": 2, "wave": 3})

    return read


def _generated(folder: Path) -> Any:
    from attcell.synth.truth import read_truth

    truth = read_truth(folder)
    return truth, truth.actions()


def _predictions(folder: Path) -> Any:
    from attcell.results.predictions import read_predictions

    return read_predictions(folder / "seen.json")


def _model(folder: Path) -> Any:
    from attcell.models.folder import read_config, read_network

    config = read_config(folder)
    return config, read_network(folder, config).state_dict()


def _calibration(folder: Path) -> Any:
    import torch

    from attcell.inference.calibration import read_calibration
    from attcell.models.folder import read_config

    shape = len(samples.LABELS), samples.FEATURES
    found = read_calibration(folder, read_config(folder)["weights"], shape)
    return found and (found, found.class_scores(torch.ones(2, samples.FEATURES)))


def _pickled(folder: Path) -> Any:
    from attcell.models.weights import published_state
    from attcell.nn import build_backbone

    return published_state(build_backbone("small"), str(folder / "weights.pt"))


def _checkpoint(folder: Path) -> Any:
    from attcell.config import load_recipe
    from attcell.training.run_folder import check_run_folder

    check_run_folder(folder, load_recipe(folder / "recipe.yaml"), resume=True)


def _of_transformers(folder: Path) -> Any:
    from attcell.config.hub import read_model

    return read_model(str(folder))


def _features(folder: Path) -> Any:
    from attcell.video.features import FeatureRows, open_features

    rows = FeatureRows(folder / "0.npy", open_features(folder / "0.npy"))
    return rows.at(np.arange(20))


def _store(folder: Path, form: Any = "files") -> Any:
    from attcell.data.feature_store import FeatureStore

    return FeatureStore(folder, {"by": "a test"}, lambda path, frames: "0", form)


def _kept_features(folder: Path) -> Any:
    from attcell.types import VideoRecord

    return _store(folder).read(VideoRecord("0", folder / "0.mp4", (0,)))


def _write_kept(folder: Path, form: Any = "files") -> None:
    import torch

    from attcell.types import VideoRecord

    maps = torch.arange(2 * 3 * 4.0).view(1, 2, 3, 2, 2)
    _store(folder, form).write(VideoRecord("0", folder / "0.mp4", (0,)), maps, ("a note",))


def _kept_arrays(folder: Path) -> Any:
    from attcell.data.feature_store import KeptArrays
    from attcell.types import VideoRecord

    return KeptArrays(folder, {"by": "a test"}).read(VideoRecord("0", folder / "recipe.yaml", (0,)))


def _write_arrays(folder: Path) -> None:
    from attcell.data.feature_store import KeptArrays
    from attcell.types import VideoRecord

    samples.small_yaml(folder)  # stands for the video
    record = VideoRecord("0", folder / "recipe.yaml", (0,))
    KeptArrays(folder, {"by": "a test"}).write(record, {"a": np.ones((2, 3)), "b": np.array("x")})


def _own(folder: Path) -> Any:
    from attcell._files import read_own

    return read_own(folder / "scores.json", "figures", "unread")


def _parameters(folder: Path) -> Any:
    from attcell.synth.write import claim

    return claim(folder, {"seed": 0})


def _claimed(folder: Path) -> None:
    from attcell.synth.write import claim

    claim(folder, {"seed": 0})


def _remembered(folder: Path) -> Any:
    from attcell.data.remembered import AnswerCache

    return AnswerCache(folder / "digests.sqlite").known(["a", "b", "c"])


def _remember(folder: Path) -> None:
    from attcell.data.remembered import AnswerCache

    AnswerCache(folder / "digests.sqlite").remember({"a": "1", "b": "2"})


def _flow(name: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.video.flow_files import open_flow

        files = open_flow(folder / name)
        return files.identity.removeprefix(str(folder)), files.read(list(range(min(files.num_fields, 9))))

    return read


def _frames(name: str) -> Read:
    def read(folder: Path) -> Any:
        from attcell.video.decode import read_frames

        return read_frames(folder / name, np.arange).images

    return read


_MODEL = partial(Reader, make=samples.model)
_LIST = partial(Reader, make=samples.list_file)
_DETECTED = of_world("detections")
_VIDEO = both(of_json("config.json", samples.VIDEOMAE), of_json("preprocessor_config.json", samples.FRAMES))
_CLASSED = both(
    both(of_world("THUMOS14 .mat"), of_text("validation_classes.txt", samples.CLASSED)),
    of_text("test_classes.txt", samples.CLASSED.replace("validation", "test")),
)
_SOUND = both(of_json("config.json", samples.AST), of_json("preprocessor_config.json", samples.SOUND))
READERS = (
    Reader("recipe", "recipe.yaml", samples.small_yaml, _recipe),
    Reader("table of recipes", "recipe.yaml", of_text("recipe.yaml", samples.TABLE), _recipe),
    Reader("overrides", "overrides.txt",
           both(samples.small_yaml, of_text("overrides.txt", samples.OVERRIDES)), _overridden,
           is_file=False),
    _LIST("list file", "list.txt", read=_listed),
    _LIST("labels.txt", "labels.txt", read=_listed),
    _LIST("groups", "groups.csv", read=_groups),
    Reader("class folders", "names.txt", of_text("names.txt", samples.WEIZMANN), _class_folders,
           is_file=False),
    Reader("UCF101 list", "trainlist01.txt", of_world("UCF101 list"), _known_set("ucf101")),
    Reader("UCF101 classes", "classInd.txt", of_world("UCF101 list"), _known_set("ucf101")),
    Reader("UCF101-24", "finalAnnots.mat", samples.ucf24_boxes, _boxes("finalAnnots.mat"), is_text=False),
    Reader("HMDB51", "run_test_split1.txt", of_world("HMDB51"), _known_set("hmdb51")),
    Reader("CCV labels", "trainLabel.txt", of_world("CCV"), _known_set("ccv")),
    Reader("CCV videos", "trainVidID.txt", of_world("CCV"), _known_set("ccv")),
    Reader("Kinetics", "train.csv", of_world("Kinetics"), _known_set("kinetics")),
    Reader("Sports-1M", "train_partition.txt", of_world("Sports-1M"), _known_set("sports1m")),
    Reader("THUMOS14 times", "run_val.txt", of_world("THUMOS14 times"), _known_set("thumos14_detection")),
    Reader("THUMOS14 lengths", "test_durations.txt", of_text("test_durations.txt", samples.DURATIONS),
           _durations),
    Reader("THUMOS14 numbers", "detclasslist.txt", _DETECTED, _class_numbers),
    Reader("THUMOS14 classes", "validation_classes.txt",
           _CLASSED,
           _known_set("thumos14")),
    Reader("THUMOS14 .mat", "validation_set.mat", of_world("THUMOS14 .mat"), _known_set("thumos14"), False),
    Reader("Weizmann", "names.txt", of_text("names.txt", samples.WEIZMANN), _of_names("weizmann"),
           is_file=False),
    Reader("UT-Interaction", "names.txt", of_text("names.txt", samples.UT_INTERACTION),
           _of_names("ut_interaction"), is_file=False),
    Reader("ActivityNet", "truth.json", _DETECTED, _actions),
    Reader("boxes", "boxes.json", of_json("boxes.json", samples.BOXES), _boxes("boxes.json")),
    Reader("truth.json", "truth.json", samples.generated_truth, _generated),
    Reader("scores JSON", "scores.json", samples.scores("json"), _scores("json")),
    Reader("scores CSV", "scores.csv", samples.scores("csv"), _scores("csv")),
    Reader("scores npz", "scores.npz", samples.scores("npz"), _scores("npz"), False),
    Reader("run", "scores.json", samples.scores("json"), _run),
    Reader("detections", "own.json", _DETECTED, _detections("own.json")),
    Reader("detections, ActivityNet", "found.json", _DETECTED, _detections("found.json")),
    Reader("detections, THUMOS", "found.txt", _DETECTED, _detections("found.txt")),
    Reader("predictions", "seen.json", of_json("seen.json", samples.PREDICTIONS), _predictions),
    _MODEL("config.json", "config.json", read=_model),
    _MODEL("weights", "model.safetensors", read=_model, is_text=False),
    _MODEL("calibration", "detection.safetensors", read=_calibration, is_text=False),
    Reader("weights of torch.save", "weights.pt", samples.pickled, _pickled, False),
    Reader("checkpoint", "checkpoints/last.ckpt", samples.checkpoint, _checkpoint, False),
    Reader("config of transformers", "config.json",
           _VIDEO, _of_transformers),
    Reader("preprocessing of transformers", "preprocessor_config.json",
           _VIDEO, _of_transformers),
    Reader("preprocessing of sound", "preprocessor_config.json",
           _SOUND, _of_transformers),
    Reader("features .npy", "0.npy", samples.features, _features, False),
    Reader("kept features", "*/0.safetensors", _write_kept, _kept_features, False),
    Reader("shard", "*/*.tar", partial(_write_kept, form="shards"), _kept_features, False),
    Reader("shard's index", "*/*.index", partial(_write_kept, form="shards"), _kept_features, False),
    Reader("kept arrays", "*/*.npz", _write_arrays, _kept_arrays, False),
    Reader("own scores.json", "scores.json", samples.scores("json"), _own),
    Reader("a set's parameters", "*.json", _claimed, _parameters),
    Reader("remembered answers", "digests.sqlite", _remember, _remembered, False),
    Reader("flow picture", "0/flow_x_00002.jpg", samples.flow_files("folder"), _flow("0"), False),
    Reader("flow.json", "0/flow.json", samples.flow_files("folder"), _flow("0")),
    Reader("flow ZIP", "0.zip", samples.flow_files("zip"), _flow("0.zip"), False),
    Reader("frame of JPEG", "img_00002.jpg", samples.frames, _frames("."), False),
    Reader("frame of PNG", "png/img_00001.png", samples.frames, _frames("png"), False),
)  # fmt: skip
