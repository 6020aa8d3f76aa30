"""Good small files of every kind, made by the program itself or as their official forms have it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.alone import attcell, run_alone
from benchmarks.damage.kinds import KINDS, LABELS, TEST


def make_worlds(folder: Path) -> Path:
    """``folder/KIND`` for every kind, each with what its command needs; what is there is kept."""
    done = folder / "done"
    if not done.exists():
        videos, models = folder / "videos", folder / "models"
        _write_videos(videos)
        _write_models(models, videos)
        for kind in KINDS:
            (folder / kind.name).mkdir(parents=True, exist_ok=True)
            make_one(kind.name, folder / kind.name, videos, models)
            if not list((folder / kind.name).glob(kind.file)):
                raise RuntimeError(f"nothing was made for {kind.name}")
        done.touch()
    return folder


# What the files' makers share


def _write_videos(folder: Path) -> None:
    for place, label in enumerate(LABELS):
        for number in range(2):
            path = folder / label / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
                stream.width, stream.height, stream.pix_fmt = 48, 36, "yuv420p"
                for step in range(10):
                    picture = np.full((36, 48, 3), 40 + 60 * place, np.uint8)
                    picture[6:16, 4 + 3 * step : 10 + 3 * step] = 200 - 40 * number
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(stream.encode(None))


def small_recipe(videos: Path, **sections: dict[str, Any]) -> dict[str, Any]:
    """A recipe of a tiny network, in plain values."""
    small = {"backbone": "small", "weights": "none", "conv6_channels": 8, "train_from": "none"}
    values: dict[str, Any] = {
        "data": {"train": str(videos), "workers": 0},
        "input": {"size": 32, "short_side": 36},
        "segments": {"train": 2, "test": 3},
        "model": {"kind": "stan", "streams": {"frame": small}, "lstm_hidden": 8},
        "train": {"iterations": 2, "batch_size": 2, "accelerator": "cpu", "checkpoint_every": 1},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return values


def _write_models(folder: Path, videos: Path) -> None:
    """``frame``, ``flow`` and ``features``: networks whose weights are drawn at random."""
    small = {"backbone": "small", "weights": "none", "conv6_channels": 8, "train_from": "none"}
    streams: dict[str, dict[str, Any]] = {
        "frame": {"streams": {"frame": small}},
        "flow": {"streams": {"frame": small, "flow": small}},
        "features": {"streams": {"features": {"conv6_channels": 8}}},
    }
    for name, of in streams.items():
        more = {"features": {"dim": 5}} if name == "features" else {}
        save_model(folder / name, small_recipe(videos, model=of, **more))


def save_model(folder: Path, values: dict[str, Any]) -> None:
    """:func:`write_model` in a process of its own: threads of PyTorch do not fork."""
    folder.mkdir(parents=True, exist_ok=True)
    _done(run_alone(partial(write_model, folder, values), folder))


def write_model(folder: Path, values: dict[str, Any]) -> None:
    """A model folder of random weights."""
    import torch

    from attcell.config.recipe import check_recipe
    from attcell.inference.model import Model
    from attcell.models.build import build_network

    recipe = check_recipe(values, source="the campaign")
    torch.manual_seed(0)
    network = build_network(recipe, len(LABELS), load_weights=False).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    Model(network, LABELS, recipe).save_pretrained(folder)


def _program(folder: Path, *words: str) -> str:
    ended = run_alone(attcell(*words), folder)
    _done(ended)
    return ended.out


def _done(ended: Any) -> None:
    if ended.status:
        raise RuntimeError(f"a good file was not made: {ended.err}{ended.out}")


# The files themselves


def make_one(name: str, folder: Path, videos: Path, models: Path) -> None:
    """The good files of a kind, in this folder."""
    for names, maker in _MAKERS.items():
        if name in names:
            maker(folder, videos, models)
            return
    raise RuntimeError(f"no maker for {name}")


def _link(place: Path, source: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(source)


def _listed(folder: Path, videos: Path, _: Path) -> None:
    _link(folder / "videos", videos)
    lines = [f"videos/{label}/{n}.mp4 {number}" for number, label in enumerate(LABELS) for n in range(2)]
    _write(folder, {"list.txt": lines, "labels.txt": LABELS})
    groups = [f"videos/{label}/{n}.mp4,g{n}" for label in LABELS for n in range(2)]
    _write(folder, {"groups.csv": ["video,group", *groups]})


def _recipes(folder: Path, videos: Path, _: Path) -> None:
    import yaml

    text = yaml.safe_dump(small_recipe(videos), sort_keys=False)
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")


def _ucf(folder: Path, videos: Path, _: Path) -> None:
    names = [f"{label}/v_{label}_g{g:02d}_c01.avi" for label in LABELS for g in (1, 2, 3)]
    for split in (1, 2, 3):
        _write(
            folder,
            {
                f"trainlist0{split}.txt": [f"{of} {LABELS.index(of.split('/')[0]) + 1}" for of in names[:8]],
                f"testlist0{split}.txt": names[8:],
            },
        )
    _write(folder, {"classInd.txt": [f"{number} {label}" for number, label in enumerate(LABELS, 1)]})
    _stubs(folder, names)


def _hmdb(folder: Path, videos: Path, _: Path) -> None:
    for label in LABELS:
        lines = [f"{label}_{number}.avi {1 + number % 2}" for number in range(4)]
        _write(folder, {f"{label}_test_split{split}.txt": lines for split in (1, 2, 3)})
        _stubs(folder, [f"{label}/{label}_{number}.avi" for number in range(4)])


def _ccv(folder: Path, videos: Path, _: Path) -> None:
    ids = [f"video{number:06d}" for number in range(8)]
    rows = [" ".join(str(int(of == number % 4)) for of in range(3)) for number in range(4)]
    _write(
        folder,
        {
            "categoryName.txt": LABELS,
            "trainVidID.txt": ids[:4],
            "trainLabel.txt": rows,
            "testVidID.txt": ids[4:],
            "testLabel.txt": rows,
        },
    )
    _stubs(folder, [f"{of}.mp4" for of in ids])


def _kinetics(folder: Path, videos: Path, _: Path) -> None:
    for part, split in (("train", "train"), ("validate", "val"), ("test", "test")):
        rows = [f"{label},{label}_{part:_<7},{n},{n + 10},{split}" for label in LABELS for n in (1, 20)]
        _write(folder, {f"{part}.csv": ["label,youtube_id,time_start,time_end,split", *rows]})
        names = [f"{label}_{part:_<7}_{n:06d}_{n + 10:06d}.mp4" for label in LABELS for n in (1, 20)]
        _stubs(folder, names)


def _sports(folder: Path, videos: Path, _: Path) -> None:
    _write(folder, {"labels.txt": LABELS})
    for part in ("train", "test"):
        url = "https://www.youtube.com/watch?v="
        rows = [f"{url}{part:_<9}{number:02d} {number % 3},{(number + 1) % 3}" for number in range(6)]
        _write(folder, {f"{part}_partition.txt": rows})
        _stubs(folder, [f"{part:_<9}{number:02d}.mp4" for number in range(6)])


def _thumos(folder: Path, videos: Path, _: Path) -> None:
    for part, name in (("val", "validation"), ("test", "test")):
        for place, label in enumerate(LABELS):
            rows = [f"video_{name}_{n:07d}  {n + place}.5 {n + place + 2}.25" for n in range(1, 5)]
            _write(folder, {f"{label}_{part}.txt": rows})
        _stubs(folder, [f"video_{name}_{number:07d}.mp4" for number in range(1, 5)])


_FIELDS = ("video_name", "background_video", "primary_action_index", "secondary_actions_indices")


def _thumos_mat(folder: Path, videos: Path, models: Path) -> None:
    from scipy.io import savemat

    _ucf(folder, videos, models)
    for name, field, part in (
        ("validation_set", "validation_videos", "validation"),
        ("test_set_meta", "test_videos", "test"),
    ):
        rows = np.zeros((1, 4), dtype=[(key, object) for key in _FIELDS])
        for place in range(4):
            rows[0, place] = (
                f"video_{part}_{place + 1:07d}",
                "NO",
                float(place % 3 + 1),
                np.zeros((0, 0)),
            )
        savemat(folder / f"{name}.mat", {field: rows}, do_compression=True)
        _stubs(folder, [f"video_{part}_{number:07d}.mp4" for number in range(1, 5)])


def _detections(folder: Path, videos: Path, _: Path) -> None:
    rng = np.random.default_rng(0)
    database: dict[str, Any] = {}
    results: dict[str, Any] = {}
    own: list[Any] = []
    lines: list[str] = []
    for video in range(5):
        name = f"v_{video:03d}"
        truths: list[Any] = []
        founds: list[Any] = []
        for _three in range(3):
            start, length = rng.uniform(0, 80), rng.uniform(2, 15)
            label = str(rng.choice(LABELS))
            truths.append({"segment": [round(start, 2), round(start + length, 2)], "label": label})
            found = [round(start + rng.uniform(0, 3), 2), round(start + length + 1, 2)]
            founds.append({"segment": found, "label": label, "score": round(rng.uniform(), 4)})
        database[name] = {"subset": "validation", "duration": 100.0, "annotations": truths}
        results[name] = founds
        detections = [
            {
                "label": of["label"],
                "start_seconds": of["segment"][0],
                "end_seconds": of["segment"][1],
                "score": of["score"],
            }
            for of in founds
        ]
        own.append({"video": f"{name}.mp4", "duration_seconds": 100.0, "detections": detections})
        lines += [
            f"{name} {of['segment'][0]} {of['segment'][1]} {LABELS.index(of['label']) + 1} {of['score']}"
            for of in founds
        ]
    _write_json(folder / "truth.json", {"database": database})
    _write_json(folder / "found.json", {"results": results})
    _write_json(folder / "own.json", {"videos": own})
    _write(folder, {"found.txt": lines, "detclasslist.txt": [f"{n} {of}" for n, of in enumerate(LABELS, 1)]})


def _scores(folder: Path, videos: Path, models: Path) -> None:
    _listed(folder, videos, models)
    _program(folder, "test", str(models / "frame"), "--data", "list.txt", "--out", "out")
    (folder / "out" / "scores.json").rename(folder / "scores.json")
    for suffix in ("csv", "npz"):
        words = ("score", "fuse", "scores.json", "scores.json", "--weights", "0.5,0.5", "--out")
        _program(folder, *words, f"scores.{suffix}")


def _generated(folder: Path, videos: Path, models: Path) -> None:
    few = ("--classes", "4", "--train", "0", "--val", "0", "--test", "1", "--kind", "untrimmed")
    _program(folder, "synth", "set", *few)
    seen = sorted(str(path.relative_to(folder)) for path in (folder / "set").rglob("*.mp4"))
    _program(folder, "predict", *seen, "--model", str(models / "frame"), "--json", "seen.json")
    results: dict[str, Any] = {}
    truth = json.loads((folder / "set" / "truth.json").read_text(encoding="utf-8"))
    for name in truth["videos"]:
        results[name] = [{"segment": [1.0, 3.0], "label": truth["labels"][0], "score": 0.5}]
    _write_json(folder / "found.json", {"results": results})


def _model(folder: Path, videos: Path, models: Path) -> None:
    from shutil import copytree

    copytree(models / "frame", folder / "model")
    _link(folder / "clip.mp4", videos / "run" / "0.mp4")
    _program(folder, "calibrate", "model", "--data", str(videos), "--every", "2")


def _features(folder: Path, videos: Path, models: Path) -> None:
    _link(folder / "model", models / "features")
    (folder / "videos" / "run").mkdir(parents=True)
    rows = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
    np.save(folder / "videos" / "run" / "0.npy", rows)


def _feature_store(folder: Path, videos: Path, models: Path) -> None:
    _listed(folder, videos, models)
    _link(folder / "model", models / "frame")
    _program(folder, *TEST, "--cache", "cache")


def _frames(folder: Path, videos: Path, models: Path) -> None:
    from PIL import Image

    _link(folder / "model", models / "frame")
    (folder / "frames").mkdir()
    for number in range(1, 9):
        picture = np.full((36, 48, 3), 20 * number, np.uint8)
        Image.fromarray(picture).save(folder / "frames" / f"img_{number:05d}.jpg")


def _flow_store(form: str) -> Callable[[Path, Path, Path], None]:
    def make(folder: Path, videos: Path, models: Path) -> None:
        _listed(folder, videos, models)
        few = ("--short-side", "36", "--method", "fast", "--no-frames", "--workers", "1", "--form", form)
        _program(folder, "extract", "flow", "videos", "flow", *few)
        small = {"backbone": "small", "weights": "none", "conv6_channels": 8, "train_from": "none"}
        values = small_recipe(
            videos, model={"streams": {"frame": small, "flow": small}}, flow={"store": "flow"}
        )
        save_model(folder / "model", values)

    return make


def _checkpoint(folder: Path, videos: Path, models: Path) -> None:
    _recipes(folder, videos, models)
    _program(folder, "train", "recipe.yaml", "--out", "run")


_MAKERS: dict[tuple[str, ...], Callable[[Path, Path, Path], None]] = {
    ("recipe",): _recipes,
    ("list file", "labels.txt", "groups"): _listed,
    ("UCF101 list", "UCF101 classes"): _ucf,
    ("HMDB51",): _hmdb,
    ("CCV",): _ccv,
    ("Kinetics",): _kinetics,
    ("Sports-1M",): _sports,
    ("THUMOS14 times",): _thumos,
    ("THUMOS14 .mat",): _thumos_mat,
    ("ActivityNet", "detections", "detections, ActivityNet", "detections, THUMOS"): _detections,
    ("scores JSON", "scores CSV", "scores npz"): _scores,
    ("truth.json", "predictions"): _generated,
    ("config.json", "weights", "calibration"): _model,
    ("features .npy",): _features,
    ("feature store", "feature store's made_by"): _feature_store,
    ("flow store, folder", "flow store's flow.json"): _flow_store("folder"),
    ("flow store, ZIP",): _flow_store("zip"),
    ("folder of frames",): _frames,
    ("checkpoint",): _checkpoint,
}


def _write(folder: Path, texts: dict[str, Any]) -> None:
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _stubs(folder: Path, names: list[str]) -> None:
    """Files that are there, and not looked into."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"stub")
