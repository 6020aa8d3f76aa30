"""The recipes that are in the package: each is valid, and the tables have their rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from attcell.config import Recipe, differing_keys, load_recipe, packaged_recipes
from attcell.config.loading import PACKAGED, find_recipe, read_recipe_file
from attcell.config.overrides import PATH_KEYS
from attcell.data.known_sets import KNOWN_SETS
from attcell.errors import CallError

FILES = packaged_recipes()
SINGLES = [file.name for file in FILES if not file.row_names]
ROWS = [(file.name, row) for file in FILES for row in file.row_names]
NUM_ROWS = {
    "stan-table-1": 54, "stan-table-2": 12, "stan-table-3": 12, "stan-table-4": 4, "stan-table-5": 4,
    "stan-table-6": 1, "stan-table-7": 4, "stan-table-8": 4, "stan-table-9": 1, "tan-figure-3": 5,
    "tan-table-1": 8, "tan-table-2": 2, "tan-table-3": 2, "tan-table-4": 5, "weizmann": 18,
    "your-videos": 14, "ccv-sound": 18,
}  # fmt: skip
FIGURES = {
    "top1", "mAP", "top1_frame", "top1_flow", "top1_fused", "top1_of_Lunges", "top1_of_Nunchucks",
    "map@0.1", "map@0.2", "map@0.3", "map@0.4", "map@0.5",
}  # fmt: skip
OTHERS_EXCLUDE = (
    "data.val",  # with val_fraction
    "data.annotations",  # without a dataset
    "cache.folder",  # with a backbone that is trained
    "detection.truth",  # with branches
)
PATHS = [f"{key}={key}" for key in PATH_KEYS if key not in OTHERS_EXCLUDE]


@cache
def completed(table: str, row: str | None) -> Recipe:
    """A recipe with something in every place that it leaves open."""
    try:
        return load_recipe(table, row=row)
    except CallError as error:
        left = str(error).split(" leaves ")[1].split(" open ")[0]
        return load_recipe(table, [f"{key}=given" for key in left.split(", ")], row)


def test_each_table_has_its_rows():
    assert {file.name: len(file.row_names) for file in FILES if file.row_names} == NUM_ROWS
    modern = ["modern/dinov2", "modern/mvit", "modern/sound", "modern/videomae"]
    assert [*modern, "san-vgg16", "stan-small", "stan-vgg16", "tan", "tan-stage-cnn"] == SINGLES
    assert all(file.about and "\n" not in file.about for file in FILES)


pytestmark = pytest.mark.usefixtures("cached_video_mae")


@pytest.mark.parametrize("name", SINGLES)
def test_a_recipe_wants_nothing_but_paths(name):
    weights = ["model.streams.audio.weights=pretrained"] if name == "modern/sound" else []
    recipe = load_recipe(name, PATHS + weights)
    assert recipe.data.train == Path("data.train")
    assert f"attcell train {name} data.train=" in find_recipe(name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "table", "row", "own"),
    [
        ("tan", "tan-table-1", "ucf101-cnn-on-imagenet", set()),
        ("tan-stage-cnn", "tan-table-1", "ucf101-cnn-stage", set()),
        ("stan-vgg16", "stan-table-4", "ucf101-frame", {"segments.crops"}),
        ("san-vgg16", "stan-table-4", "ucf101-frame", {"segments.crops", "model.kind"}),
    ],
)
def test_a_recipe_for_ones_own_videos_is_a_row_but_for_them(name, table, row, own):
    differing = set(differing_keys([completed(name, None), completed(table, row)]))
    assert {key for key in differing if not key.startswith("data.")} - {"name", "published"} == own
    assert completed(name, None).data.val_fraction == 0.1


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_a_row_of_a_table_is_a_recipe_for_a_data_set(table, row):
    recipe = completed(table, row)
    assert recipe.name == (row if table == "weizmann" else f"{table}-{row}")
    of_first_split = {one.source.endswith("split 1") for one in recipe.published}
    if of_first_split:
        assert of_first_split == {recipe.data.splits == (1,)}
    if table == "your-videos":
        assert recipe.data.train == Path("given")
        assert not recipe.published
        return
    assert recipe.data.dataset in KNOWN_SETS
    stage = row.endswith("-stage") or table in ("weizmann", "ccv-sound")
    assert bool(recipe.published) != stage
    for published in recipe.published:
        assert published.figure in FIGURES
        assert published.source.startswith(("STAN paper", "TAN paper"))


def test_no_two_rows_of_a_table_are_the_same():
    found: dict[str, str] = {}
    for table, row in ROWS:
        recipe = completed(table, row)
        text = recipe.model_copy(update={"name": "", "published": (), "rivals": ()}).model_dump_json()
        assert found.setdefault(f"{table} {text}", row) == row


def test_no_two_recipes_have_one_name():
    names = [completed(table, row).name for table, row in ROWS] + SINGLES
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("table", "row", "figures"),
    [
        ("stan-table-1", "ccv-flow-pool5-512-vlad", [("mAP", None, "pool5_512+VLAD, optical flow, CCV")]),
        ("stan-table-1", "ucf101-clip-stan", [("top1", None, "STAN, clip, UCF101")]),
        ("stan-table-3", "thumos14-san-late", [("mAP", None, "SAN LF, THUMOS14")]),
        ("stan-table-5", "ccv-three", [("mAP", 83.7, "STAN, three modalities")]),
        ("stan-table-8", "sports1m-stan-resnet152", [("top1", 65.8, "STAN (ResNet-152)")]),
        (
            "tan-figure-3",
            "ucf101-bs-l2",
            [
                ("top1", 83.9, "branch selection + L2"),
                ("top1_frame", None, "branch selection + L2"),
                ("top1_flow", None, "branch selection + L2"),
            ],
        ),
        (
            "tan-table-1",
            "hmdb51-tan-on-ucf101",
            [("top1", 70.2, "TAN, TAN on UCF101"), ("top1_fused", 73.9, "TAN+, TAN on UCF101")],
        ),
        (
            "tan-table-3",
            "hmdb51-two-stream",
            [
                ("top1_frame", 46.2, "Two-stream CNNs+LSTMs, spatial"),
                ("top1_flow", 50.3, "Two-stream CNNs+LSTMs, temporal"),
                ("top1", 58.4, "Two-stream CNNs+LSTMs, fusion"),
            ],
        ),
        ("tan-table-4", "ucf101-spatial-attention-pretrained", [("top1", 88.47, "SA + pre-train CNN")]),
    ],
)
def test_published_figures_are_those_of_the_papers(table, row, figures):
    found = completed(table, row).published
    assert [(one.figure, one.value, one.row) for one in found] == figures


def test_streams_are_in_the_order_of_the_equation():
    recipe = completed("stan-table-3", "ucf101-stan-early")
    assert list(recipe.model.streams) == ["frame", "flow", "clip"]
    assert list(completed("weizmann", "both-san").model.streams) == ["frame", "flow"]


def test_todays_networks_see_what_they_were_made_for():
    for name in ("modern/dinov2", "modern/mvit", "modern/videomae"):
        recipe = load_recipe(name, ["data.train=videos"])
        assert recipe.name == name.partition("/")[2], "a run's folder"
        assert recipe.input.size == 224
        assert list(recipe.model.streams)[-1] == "flow"
        assert all(stream.train_from == "none" for stream in recipe.model.streams.values())
    clip = recipe.model.streams["clip"]
    assert (recipe.clip.frames, recipe.clip.stride) == (16, 4)
    assert clip.files["config"]["model_type"] == "videomae"
    other = load_recipe("modern/mvit", ["data.train=videos", "model.streams.clip.backbone=swin3d_t"])
    assert (other.clip.frames, other.model.streams["clip"].files) == (16, None)


@pytest.mark.parametrize("name", ["modern/mvit", "modern/mvit.yaml", "recipes/modern/mvit.yaml"])
def test_a_recipe_of_a_folder_goes_by_both_names(name):
    assert find_recipe(name) == PACKAGED / "modern" / "mvit.yaml"
    with pytest.raises(CallError, match="did you mean 'modern/mvit'"):
        find_recipe("modern/mvitt")


def test_every_part_is_used():
    used = "".join(path.read_text(encoding="utf-8") for path in PACKAGED.glob("[!_]*.yaml"))
    parts = read_recipe_file(PACKAGED / "_parts.yaml").row_names
    assert [part for part in parts if f"_parts.yaml#{part}" not in used] == []


# Sound


@pytest.mark.parametrize("of", ["frame", "flow", "clip", "two", "three", "three-late"])
def test_with_sound_and_without_differ_in_the_audio_stream_alone(of):
    heard = "three-audio-late" if of == "three-late" else f"{of}-audio"
    without, with_sound = completed("ccv-sound", f"ccv-{of}"), completed("ccv-sound", f"ccv-{heard}")
    assert [*with_sound.model.streams] == [*without.model.streams, "audio"]
    differing = differing_keys([without, with_sound])
    assert all(key == "name" or key.startswith(("audio.", "model.streams.audio.")) for key in differing)


@pytest.mark.parametrize("of", ["frame", "flow", "two", "three"])
def test_without_sound_they_are_the_papers_rows(of):
    differing = differing_keys([completed("ccv-sound", f"ccv-{of}"), completed("stan-table-5", f"ccv-{of}")])
    assert set(differing) == {"name", "published"}


@pytest.mark.parametrize(
    ("row", "form", "backbone"),
    [
        ("ccv-audio", "panns", "cnn14"),
        ("ccv-audio-cnn14-svm", "panns", "cnn14"),
        ("ccv-audio-vggish-svm", "vggish", "vggish"),
        ("ccv-audio-mfcc-svm", "vggish", "mfcc"),
        ("ccv-audio-mel-svm", "vggish", "mel_statistics"),
    ],
)
def test_sound_is_heard_as_the_weights_were_trained(row, form, backbone):
    recipe = completed("ccv-sound", row)
    assert (recipe.model.streams["audio"].backbone, recipe.audio.form, recipe.audio.bands) == (
        backbone,
        form,
        64,
    )
    assert recipe.segments.crops == 1
