"""Miniatures of the data sets: generated clips under the official names, with the official kinds of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.video.conftest import write_video

NUM_FRAMES = 12


def ucf101(folder: Path) -> None:
    """Two classes, one of which is spelt in two ways, four groups and three splits."""
    classes = {"ApplyEyeMakeup": "ApplyEyeMakeup", "HandstandPushups": "HandStandPushups"}
    names = [
        f"{of}/v_{word}_g{group:02d}_c{clip:02d}.avi"
        for of, word in classes.items()
        for group in (1, 2, 3, 4)
        for clip in (1, 2)
    ]
    clips(folder / "videos", names)
    text(folder / "lists" / "classInd.txt", (f"{n} {name}\r\n" for n, name in enumerate(classes, 1)))
    for split in (1, 2, 3):
        tested = [name for name in names if f"_g{split:02d}_" in name]
        taught = [name for name in names if name not in tested]
        numbers = {name: list(classes).index(name.split("/")[0]) + 1 for name in names}
        text(
            folder / "lists" / f"trainlist{split:02d}.txt", (f"{name} {numbers[name]}\r\n" for name in taught)
        )
        text(folder / "lists" / f"testlist{split:02d}.txt", (f"{name}\r\n" for name in tested))


def hmdb51(folder: Path) -> None:
    """Two classes, three splits, and videos that are in none."""
    for name in ("brush_hair", "wave"):
        videos = [f"Some Film_{name}_u_nm_np1_ba_goo_{number}.avi" for number in range(5)]
        clips(folder / "videos", [f"{name}/{video}" for video in videos])
        for split in (1, 2, 3):
            codes = {0: 0, split: 2}  # the first is unused
            lines = (f"{video} {codes.get(number, 1)} \n" for number, video in enumerate(videos))
            text(folder / "lists" / f"{name}_test_split{split}.txt", lines)


def ccv(folder: Path) -> None:
    """Three classes; a video has one, two or none."""
    rows = ["1 0 0", "0 1 0", "0 0 1", "1 1 0", "0 0 0", "0 1 1"]
    text(folder / "lists" / "categoryName.txt", ["Baseball\n", "Cat\n", "Beach"])
    for part in ("train", "test"):
        ids = [f"{part}-_{number}AbC" for number in range(len(rows))]
        clips(folder / "videos", [f"{id}.mp4" for id in ids])
        text(folder / "lists" / f"{part}VidID.txt", (f"{id}\n" for id in ids))
        text(folder / "lists" / f"{part}Label.txt", (f"{row} \n" for row in rows))


def thumos14(folder: Path) -> None:
    """UCF101 beside untrimmed validation and test videos, of one class or both."""
    ucf101(folder)
    for part in ("validation", "test"):
        ids = [f"video_{part}_{number:07d}" for number in range(1, 4)]
        clips(folder / "videos", [f"{id}.mp4" for id in ids], num_frames=100)
        lines = (f"{id} {classes}\n" for id, classes in zip(ids, ("1", "2", "1 2"), strict=True))
        text(folder / "lists" / f"{part}_classes.txt", lines)


def thumos14_detection(folder: Path) -> None:
    """Untrimmed videos of two classes, or of none, with the times of actions; and the faulty ones."""
    numbers = {"validation": range(1, 6), "test": (11, 12, 270, 1292, 1496)}
    for part, ending in (("validation", "val"), ("test", "test")):
        ids = [f"video_{part}_{number:07d}" for number in numbers[part]]
        clips(folder / "videos", [f"{id}.mp4" for id in ids], num_frames=60)
        text(folder / "lists" / f"{part}_durations.txt", (f"{id}.mp4\n2.500000\n" for id in ids))
        times = folder / "lists" / f"temporal_annotations_{part}"
        one, two, three, four = ids[:4]
        text(times / f"BaseballPitch_{ending}.txt", (f"{id}  0.4 1.2\n" for id in (one, three)))
        text(times / f"Billiards_{ending}.txt", (f"{id}  1.0 2.0\n" for id in (two, two, ids[4])))
        text(times / f"Ambiguous_{ending}.txt", [f"{four}  0.2 0.8\n"])


def sports1m(folder: Path) -> None:
    """Three classes; some videos have two, and one is no longer to be had."""
    text(folder / "lists" / "labels.txt", ["boomerang\n", "boxing\n", "candlepin bowling\n"])
    for part in ("train", "test"):
        ids = [f"{part[:5]:_<5}-{number}xYzA" for number in range(5)]  # of 11 letters, as all of them
        clips(folder / "videos", [f"{id}.mp4" for id in ids[:-1]])
        labels = ("0", "1", "2", "0,2", "1")
        lines = (f"https://www.youtube.com/watch?v={id} {of}\n" for id, of in zip(ids, labels, strict=True))
        text(folder / "lists" / f"{part}_partition.txt", lines)


def kinetics(folder: Path) -> None:
    """Two classes of short clips."""
    for part in ("train", "validate"):
        rows = [
            f"{label},{part}-{n}{label[0]}_wVX,{n},{n + 10},{part},0\n"
            for label in ("abseiling", "zumba")
            for n in range(2)
        ]
        stems = [f"{word[1]}_{int(word[2]):06d}_{int(word[3]):06d}" for word in (r.split(",") for r in rows)]
        clips(folder / "videos", [f"{stem}.mp4" for stem in stems])
        head = "label,youtube_id,time_start,time_end,split,is_cc\n"
        text(folder / "lists" / f"{part}.csv", [head, *rows])


def activitynet(folder: Path) -> None:
    """Two classes of instances in time; a video may have both."""
    database = {}
    for part in ("training", "validation"):
        for number, labels in enumerate((["Archery"], ["Zumba"], ["Archery", "Zumba"])):
            id = f"{part}_{number}"
            clips(folder / "videos", [f"v_{id}.mp4"])
            segments = [{"segment": [0.0, 0.2], "label": label} for label in labels]
            database[id] = {"subset": part, "duration": NUM_FRAMES / 25, "annotations": segments}
    text(folder / "lists" / "truth.json", [json.dumps({"database": database})])


def weizmann(folder: Path) -> None:
    """Two actions by nine actors; there are no lists."""
    names = [f"{action}/{actor}_{action}.avi" for action in ("bend", "run") for actor in "abcdefghi"]
    clips(folder / "videos", names)


def ut_interaction(folder: Path) -> None:
    """Two interactions in ten sequences; there are no lists."""
    clips(folder / "videos", [f"{2 * s + label}_{s + 1}_{label}.avi" for s in range(10) for label in (0, 1)])


MINIATURES: dict[str, Callable[[Path], None]] = {
    "ucf101": ucf101,
    "hmdb51": hmdb51,
    "ccv": ccv,
    "thumos14": thumos14,
    "thumos14_detection": thumos14_detection,
    "sports1m": sports1m,
    "kinetics": kinetics,
    "activitynet": activitynet,
    "weizmann": weizmann,
    "ut_interaction": ut_interaction,
}


def clips(folder: Path, names: Iterable[str], num_frames: int = NUM_FRAMES) -> None:
    """Small videos, of which no two are the same."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        codec = "mpeg4" if path.suffix == ".avi" else "libx264"
        write_video(path, num_frames + number % 3, size=(32 + 2 * (number % 5), 32), codec=codec)


def text(path: Path, lines: Iterable[str]) -> None:
    """A text file, its lines ended as they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(lines).encode())
