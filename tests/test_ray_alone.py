"""What driver and workers of a Ray cluster refuse, and how they end, without a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from queue import Queue
from threading import Timer

import pytest

from attcell._ray import driver, wire, work
from attcell._ray.cluster import refuse_another
from attcell._ray.entry import Sent
from attcell._ray.work import Answer, _error, refuse_other_stores
from attcell._urls import path_or_url
from attcell.errors import AttcellError, CallError, DataError, ModelError

NODE = "the node 10.0.0.2 (0a1b2c3d)"
SENT = Sent("ledger", "run", ".", {}, {}, 1, 1, 30, computes=False, signs=(), patience=0.3)


def test_a_folder_that_is_not_shared_is_refused(tmp_path: Path) -> None:
    sent = replace(SENT, signs=(tmp_path / "store" / ".sign",))
    told = r"the node 10.0.0.2 \(0a1b2c3d\) does not have the folder .*/store .* a disk that all nodes share"
    with pytest.raises(DataError, match=told):
        refuse_other_stores(sent, NODE)


def test_a_disk_may_show_a_sign_late(tmp_path: Path) -> None:
    sent = replace(SENT, signs=(tmp_path / ".sign",), patience=20)
    late = Timer(0.3, (tmp_path / ".sign").touch)
    late.start()
    refuse_other_stores(sent, NODE)
    late.join()


def test_folders_on_disks_have_signs_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    folders = [tmp_path / "there", tmp_path / "new" / "deep", path_or_url("s3://here/store")]
    with driver.signs_in(folders) as signs:
        assert [sign.parent for sign in signs] == folders[:2]
        assert all(sign.is_file() and sign.name.startswith(".") for sign in signs)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("address", ["ray", "auto", "127.0.0.1:6379", "localhost:6379"])
def test_a_connection_serves_its_own_address(address: str) -> None:
    refuse_another(address, "127.0.0.1:6379")


@pytest.mark.parametrize("address", ["127.0.0.1:6380", "127.0.0.2:6379"])
def test_a_connection_does_not_stand_for_another(address: str) -> None:
    told = f"--on is {address}, but .* connected to the Ray cluster 127.0.0.1:6379 already; give that"
    with pytest.raises(CallError, match=told):
        refuse_another(address, "127.0.0.1:6379")


class TestTelling:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> Queue[dict[int, bytes]]:
        monkeypatch.setattr(work, "_TOLD_EVERY", 0.2)
        return Queue()

    def test_what_comes_after_a_while_is_told_at_once(self, told: Queue[dict[int, bytes]]) -> None:
        telling = work._Telling(told.put)
        telling.add(0, b"zero")
        assert told.get_nowait() == {0: b"zero"}

    def test_what_comes_soon_is_told_together_and_by_itself(self, told: Queue[dict[int, bytes]]) -> None:
        telling = work._Telling(told.put)
        for number in range(4):
            telling.add(number, b"")
        assert told.get_nowait() == {0: b""}
        assert told.get(timeout=30) == {1: b"", 2: b"", 3: b""}

    def test_nothing_waits_for_its_time_after_a_send(self, told: Queue[dict[int, bytes]]) -> None:
        telling = work._Telling(told.put)
        telling.add(0, b"")
        telling.add(1, b"")
        telling.send()
        assert [told.get_nowait(), told.get_nowait()] == [{0: b""}, {1: b""}]
        telling.send()
        assert told.empty()


def test_a_worker_waits_asleep_from_before_pytorch_is_there() -> None:
    code = """
import os, sys
from attcell._ray.entry import do_block
assert "torch" not in sys.modules
try:
    next(do_block({"first": []}, None))
except IndexError:
    assert "torch" in sys.modules
    print(os.environ["OMP_WAIT_POLICY"])
"""
    environment = {name: of for name, of in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == "passive\n"


def test_results_that_lack_are_told() -> None:
    assert list(driver.all_of("abc", 3)) == ["a", "b", "c"]
    with pytest.raises(AttcellError, match="has ended its work after 2 of 3 videos; run again"):
        list(driver.all_of("ab", 3))


class _OfTwoParts(Exception):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


def _sent_back(error: Exception) -> Answer:
    answer: Answer = wire.loads(_error(3, error, NODE))
    assert (answer.place, answer.is_error) == (3, True)
    assert NODE in answer.result.__notes__[0]
    return answer


def test_an_error_names_the_node_once() -> None:
    found = _sent_back(ModelError("the network is broken")).result
    assert type(found) is ModelError
    assert str(found) == f"{NODE}: the network is broken"
    assert str(_sent_back(DataError(f"{NODE} has torch 1")).result) == f"{NODE} has torch 1"


def test_an_error_that_cannot_be_made_again_comes_as_text() -> None:
    found = _sent_back(_OfTwoParts("the disk", "full")).result
    assert type(found) is RuntimeError
    assert str(found) == "_OfTwoParts: the disk: full"
