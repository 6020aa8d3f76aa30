"""Lists of videos on a Ray cluster: the same results as here, whatever ends in the middle."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import attcell
from attcell import _spread, on_ray
from attcell._ray import cluster, driver, ledger, wire
from attcell._ray.ledger import Ledger
from attcell._spread import Site, at_site, spread
from attcell.data.check import check_source
from attcell.data.sources import videos_below
from attcell.errors import AttcellError, CallError, DataError, ModelError, VideoError
from attcell.inference.detect import detect_videos
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.model import Model
from attcell.inference.predict import predict_videos
from attcell.types import Prediction
from attcell.video.optical_flow import FlowSpec
from tests import small_ready
from tests.on_nodes import done, imported, itself, only_in
from tests.small_models import random_model, recipe_of
from tests.video.conftest import write_video

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves files of its processes to the end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NUMBERS = [Path(str(number)) for number in range(12)]


# Without a cluster


@pytest.mark.parametrize(("count", "slots"), [(1, 1), (3, 8), (60, 2), (500, 2), (10_000, 16)])
def test_blocks_get_smaller_and_hold_all(count: int, slots: int) -> None:
    blocks = driver.blocks_of(count, slots)
    sizes = list(map(len, blocks))
    assert [number for block in blocks for number in block] == list(range(count))
    assert sizes == sorted(sizes, reverse=True) or sizes[-1] <= sizes[-2]
    assert max(sizes) <= 256
    assert sum(sizes[-slots:]) <= max(slots, count / 8)


class TestLedger:
    @pytest.fixture
    def known(self, monkeypatch: pytest.MonkeyPatch) -> Ledger:
        """Of a list with two workers; the node b has ended."""
        monkeypatch.setattr(ledger, "_lives", lambda node: node != "b")
        known = Ledger()
        known.opens("it", ["function"], 2)
        return known

    def test_a_block_that_begins_again_knows_what_was_done(self, known: Ledger) -> None:
        assert known.begins("it", 8, 4, "b", 1) == ({}, frozenset(), frozenset(), ())
        known.sends("it", 8, 10)
        known.answered("it", 8, {8: b"eight"})
        known.answered("it", 8, {9: b"x" * (2 << 20)})  # too much to be kept
        assert known.begins("it", 8, 4, "a", 1) == ({8: b"eight"}, frozenset(), frozenset(), (10,))

    def test_a_video_is_left_out_that_ends_its_worker_twice(self, known: Ledger) -> None:
        known.begins("it", 0, 4, "a", 2)
        known.answered("it", 0, {0: b""})
        assert known.begins("it", 0, 4, "a", 2).alone == {1, 2}  # two were in flight
        known.answered("it", 0, {1: b""})
        found = known.begins("it", 0, 4, "a", 2)
        assert (found.alone, found.left_out) == (frozenset(), {2})
        known.answered("it", 0, {2: b"left out"})
        known.answered("it", 0, {3: b""})
        known.ends("it", 0)
        assert known.begins("it", 0, 4, "a", 2).left_out == frozenset()  # its results were lost

    def test_a_node_takes_the_blame(self, known: Ledger) -> None:
        for _ in range(5):
            assert known.begins("it", 0, 2, "b", 1).alone == frozenset()

    def test_workers_that_end_while_they_begin_come_to_an_end(self, known: Ledger) -> None:
        asked = [known.function("it") for _ in range(20)]
        assert asked[0] == ["function"]
        assert asked[-1] == []
        known.begins("it", 0, 1, "a", 1)
        assert known.function("it") == ["function"]

    def test_what_the_driver_has_is_forgotten_when_its_worker_is_at_the_end(self, known: Ledger) -> None:
        known.begins("it", 0, 1, "a", 1)
        known.answered("it", 0, {0: b"zero"})
        known.arrived("it", 0)
        assert known.begins("it", 0, 1, "a", 1).answers == {0: b"zero"}  # it ended before it could say so
        known.ends("it", 0)
        known.answered("it", 0, {0: b"late"})
        assert known._runs["it"].blocks == {}
        known.closes("it")
        known.answered("it", 0, {0: b"late"})
        assert known._runs == {}


def test_networks_go_over_the_wire_whole(model: Model) -> None:
    other = wire.loads(wire.dumps(model))
    assert other.labels == model.labels
    for (name, mine), its in zip(
        model.network.state_dict().items(), other.network.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, its), name
    assert not other.network.training
    assert wire.loads(wire.dumps([model.network, model.network.stream("frame")]))[1] is not None


@pytest.mark.parametrize("address", ["here", "ray://head:10001", "head:", ":6379", "http://a:1"])
def test_an_address_has_a_form(address: str) -> None:
    with pytest.raises(CallError, match=r"--on is .* give ray .* auto .* or HOST:PORT"), on_ray(address):
        pass


def test_an_address_must_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began, told = time.monotonic(), f"no Ray cluster answers at 127.0.0.1:{port} .*refused"
    with pytest.raises(CallError, match=told), on_ray(f"127.0.0.1:{port}"):
        pass
    assert time.monotonic() - began < 15


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(CallError, match=r"not installed: pip install 'attcell\[ray\]'"), on_ray("ray"):
        pass


def test_another_version_of_ray_is_told() -> None:
    told = cluster._unreached("10.0.0.1:6379", "Version mismatch: The cluster was started with: Ray: 2.50.0")
    assert "runs other versions" in str(told)
    assert "install the same on all machines" in str(told)


# On one


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of a core each."""
    with pytest.MonkeyPatch.context() as patched, cluster._own_handlers():
        for name, value in {**cluster._HERE, **cluster._ON_LOOPBACK, **cluster._AS_IMPORTANT}.items():
            patched.setenv(name, value)
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "num_gpus": 1, "node_ip_address": "127.0.0.1"}  # GPUs that nobody has
        nodes = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        nodes.add_node(**node)
        yield nodes
        nodes.shutdown()


@pytest.fixture(scope="module")
def there(nodes: Any) -> Iterator[Site]:
    """The cluster, as a place to work."""
    with on_ray(nodes.address):
        found = _spread._SITE.get()
        assert found is not None
        with at_site(None):
            yield found


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of three short videos, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("some")
    for label in ("run", "sit", "wave"):
        (folder / label).mkdir()
        for number in range(3):
            write_video(folder / label / f"{number}.mp4", 10 + 2 * number, size=(48, 36))
    (folder / "sit" / "1.mp4").write_bytes(b"no video")
    return folder


def _plain(found: Iterable[tuple[Path, Prediction | VideoError]]) -> list[object]:
    return [
        (path, str(of) if isinstance(of, VideoError) else pickle.dumps(of.to_dict())) for path, of in found
    ]


def _evaluated(model: Model, some: Path) -> object:
    found = model.evaluate(some)
    return found.scores.tobytes(), found.unread, found.notes


def _flow(some: Path, out: Path) -> object:
    outcome = extract_flow(videos_below(some), out, FlowSpec("fast"), layout=Layout(frames=False))
    return vars(outcome), {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*.j*"))}


Command = Callable[[Path, Path], object]


def _commands() -> dict[str, Command]:
    def model(some: Path) -> Model:
        return random_model(recipe_of(some))

    def detected(some: Path, out: Path) -> object:
        paths = sorted(some.rglob("*.mp4"))
        titles = {path: path.name for path in paths}
        return _plain(detect_videos(model(some), paths, RuleChoice("relative"), None, titles))

    def shown(some: Path, out: Path) -> object:
        paths = sorted(some.rglob("*.mp4"))
        return _plain(small_ready.model().predict_all(paths, titles={path: path.name for path in paths}))

    return {
        "data check": lambda some, out: check_source(some).to_dict(),
        "predict": lambda some, out: _plain(predict_videos(model(some), sorted(some.rglob("*.mp4")))),
        "predict, ready": shown,
        "detect": detected,
        "test": lambda some, out: _evaluated(model(some), some),
        "extract flow": _flow,
    }


@pytest.mark.parametrize("command", _commands())
def test_a_cluster_gives_the_same_bytes(
    there: Site, some: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _commands()[command]
    if command != "predict":  # that runs in actors, with a GPU each; the others in tasks, which begin sooner
        monkeypatch.setattr(driver, "slots_of", lambda computes: driver.Slots(2, 1, 0))
    here = run(some, tmp_path / "here")
    with at_site(there):
        found = run(some, tmp_path / "there")
    assert found == here


def _run(items: Sequence[Path], folder: Path) -> list[str]:
    return [str(of) for of in spread(partial(done, folder=folder), items, itself)]


def _words(folder: Path) -> list[str]:
    return (folder / "done").read_text().split()


class TestWhatEnds:
    def test_a_worker_that_ends_costs_what_was_in_flight(self, there: Site, tmp_path: Path) -> None:
        items = [Path(f"slow-{number}") for number in range(47)]
        items.insert(5, Path("kills-once"))  # in a block of which the first second was told
        with at_site(there):
            assert _run(items, tmp_path) == [item.name for item in items]
        words = _words(tmp_path)
        assert {word for word in words if words.count(word) > 1} == {"kills-once"}

    def test_a_video_that_ends_its_worker_twice_is_named(self, there: Site, tmp_path: Path) -> None:
        items = [*NUMBERS[:5], Path("kills"), *NUMBERS[5:]]
        with at_site(there):
            found = _run(items, tmp_path)
        assert [of for of in found if not of.startswith("kills")] == [item.name for item in NUMBERS]
        assert found[5].startswith("kills: the work on it ended its process on the node 127.0.0.1 (")
        assert found[5].endswith("and again alone, perhaps for lack of memory; leave it out")
        words = _words(tmp_path)
        assert {word: words.count(word) for word in set(words)} == {
            **{item.name: 1 for item in NUMBERS},
            "kills": 2,
        }

    def test_an_error_that_is_no_videos_ends_all(self, there: Site, tmp_path: Path) -> None:
        told = r"^the node 127.0.0.1 \(\w+\): the network is broken"
        with at_site(there), pytest.raises(ModelError, match=told) as caught:
            _run([*NUMBERS, Path("raises")], tmp_path)
        assert any("on the node 127.0.0.1 (" in note for note in caught.value.__notes__)

    def test_messages_and_errors_of_videos_come(
        self, there: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with at_site(there):
            assert _run([Path("warns"), Path("fails")], tmp_path) == ["warns", "fails: bad"]
        assert "a thing to know" in capsys.readouterr().err


def test_a_node_that_lacks_a_video_is_named(there: Site, some: Path, tmp_path: Path) -> None:
    videos = sorted(some.rglob("*.mp4"))
    path_of = partial(only_in, os.getpid())
    with (
        at_site(there),
        pytest.raises(DataError, match=r"the node 127.0.0.1 \(\w+\) has no .*/0.mp4, which is"),
    ):
        list(spread(partial(done, folder=tmp_path), videos, path_of))


def test_a_node_of_other_versions_is_named(
    there: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(driver, "versions", lambda: {"attcell": attcell.__version__, "torch": "1.0"})
    with at_site(there), pytest.raises(DataError, match=r"the node .* has torch .* instead of 1.0"):
        _run(NUMBERS, tmp_path)


def test_a_node_that_does_not_share_the_store_is_named(
    there: Site, some: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (here := tmp_path / "here", elsewhere := tmp_path / "elsewhere"):
        folder.mkdir()
    sent = driver._sent
    monkeypatch.setattr(driver, "_sent", lambda *of, **by: replace(sent(*of, **by), folder=str(elsewhere)))
    monkeypatch.setattr(driver, "SHOWN_SECONDS", 0.3)
    monkeypatch.chdir(here)
    with (
        at_site(there),
        pytest.raises(DataError, match=r"the node 127.0.0.1 \(\w+\) does not have the folder flow that"),
    ):
        _flow(some, Path("flow"))
    assert list(elsewhere.iterdir()) == []
    assert not list((here / "flow").rglob("*one-folder*"))


def test_a_process_has_one_cluster(there: Site, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        told = (
            r"--on is 127.0.0.1:\d+, but this process is connected to the Ray cluster 127.0.0.1:\d+ already"
        )
        with pytest.raises(CallError, match=told), on_ray(f"127.0.0.1:{other.getsockname()[1]}"):
            _run(NUMBERS, tmp_path)


def test_what_is_left_in_the_middle_has_ended(nodes: Any, there: Site, tmp_path: Path) -> None:
    with on_ray(nodes.address):
        results = spread(partial(done, folder=tmp_path), NUMBERS, itself)
        assert next(results) == "0"
    with pytest.raises(AttcellError, match=r"has ended its work after 1 of 12 videos; .* before the cluster"):
        next(results)


def test_what_nodes_cannot_import_is_told(there: Site, tmp_path: Path) -> None:
    class Unknown:
        def __reduce__(self) -> Any:
            return imported, ("no_such_module",)

    with at_site(there), pytest.raises(DataError, match=r"cannot take the work .*no_such_module"):
        list(spread(partial(done, folder=Unknown()), NUMBERS, itself))  # type: ignore[arg-type]


def test_nothing_of_nothing(there: Site, tmp_path: Path) -> None:
    with at_site(there):
        assert _run([], tmp_path) == []


def test_a_node_that_ends_costs_what_was_in_flight(nodes: Any, there: Site, tmp_path: Path) -> None:
    """The last of this file: one node is left."""
    items = [Path(f"slow-{number}") for number in range(24)]
    found = []
    with at_site(there):
        for of in spread(partial(done, folder=tmp_path), items, itself):
            found.append(of)
            if len(found) == 4:
                nodes.remove_node(next(iter(nodes.worker_nodes)))
    assert found == [item.name for item in items]
    words = _words(tmp_path)
    assert len(words) - len(set(words)) <= 2
