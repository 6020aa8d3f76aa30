"""Which of a training's processes this is, how they wait for each other, and who is named when one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from torch.distributed import PrefixStore, Store, TCPStore

from attcell._owners import is_first_process
from attcell.config.train_section import TrainSection
from attcell.errors import CallError, TrainingError
from attcell.training import launching, processes
from attcell.training.launching import environment, launched, meeting
from attcell.training.processes import ALONE, Place, Processes, place_of
from tests.several import free_port, slurm, torchrun

VARIABLES = (
    *torchrun(0, 0, 1, 1), *slurm(0, 0, 1, 1), "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "TORCHELASTIC_USE_AGENT_STORE",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _started_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processes, "ANSWER_SECONDS", 0.5)


def section(**keys: object) -> TrainSection:
    return TrainSection.model_validate({"iterations": 1, "batch_size": 24, **keys})


def says(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("starter", "by"), [(torchrun, "torchrun"), (slurm, "slurm")])
def test_a_starter_says_the_place(monkeypatch, starter, by):
    says(monkeypatch, starter(1, 2, 2, 3))
    place = place_of(section(devices=3, num_nodes=2))
    assert place == Place(rank=5, local_rank=2, node=1, devices=3, num_nodes=2, by=by)
    assert (place.world, list(place.leaders), is_first_process()) == (6, [0, 3], False)
    told = environment(place)
    assert (told.global_rank(), told.world_size(), told.local_rank()) == (5, 6, 2)
    says(monkeypatch, starter(0, 0, 2, 3))
    assert is_first_process()


def test_a_person_says_which_machine_it_is(monkeypatch):
    assert place_of(section()) == Place()
    assert environment(Place(by="torchrun")).world_size() == 1
    with pytest.raises(
        CallError, match=r"train.num_nodes is 2, and MASTER_ADDR, MASTER_PORT, NODE_RANK is not"
    ):
        place_of(section(num_nodes=2, devices=2))
    says(monkeypatch, {"MASTER_ADDR": "localhost", "MASTER_PORT": "1", "NODE_RANK": "1"})
    assert place_of(section(num_nodes=2, devices=2)) == Place(2, 0, 1, 2, 2)
    assert not is_first_process()
    with pytest.raises(CallError, match=r"NODE_RANK is 1 and LOCAL_RANK 0, .* train.devices 1 on each of"):
        place_of(section())
    says(monkeypatch, {"NODE_RANK": "first"})
    with pytest.raises(CallError, match="NODE_RANK is 'first'; it must be a whole number from 0"):
        place_of(section(num_nodes=2))


def test_another_number_of_processes_is_refused_by_both_numbers(monkeypatch):
    says(monkeypatch, torchrun(0, 0, 2, 2))
    with pytest.raises(CallError) as caught:
        place_of(section(devices=4))
    assert str(caught.value) == (
        "torchrun started 4 processes, 2 on a machine, and the recipe asks for train.devices 4 on each of "
        "train.num_nodes 1; set train.devices=2 train.num_nodes=2, or start 4"
    )


def test_srun_must_say_how_many_run_on_a_machine(monkeypatch):
    says(monkeypatch, slurm(0, 0, 1, 4))
    with pytest.raises(CallError, match="srun started 4 processes, 4 on a machine, and the recipe"):
        place_of(section())
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(
        CallError, match="started 4 processes without --ntasks-per-node; give --ntasks-per-node=4"
    ):
        place_of(section(devices=4))


def test_a_task_of_slurm_alone_is_a_process_of_its_own(monkeypatch):
    says(monkeypatch, slurm(0, 0, 1, 1))
    assert place_of(section(devices=2)) == Place(devices=2)
    assert is_first_process()


def test_one_alone_waits_for_nothing(tmp_path):
    with ALONE.together(), ALONE.in_turn(), launched(ALONE):
        ALONE.meet(tmp_path)
    assert not ALONE.is_lost(RuntimeError("gloo: connection closed"))
    with meeting(Place()) as one:
        assert one.place == Place()
    assert "MASTER_PORT" not in os.environ


@pytest.fixture
def store() -> Callable[[], Store]:
    """Connections to one store."""
    server = TCPStore("127.0.0.1", free_port(), None, True, wait_for_workers=False)

    def connected() -> Store:
        wait = timedelta(seconds=20)
        return PrefixStore("a", TCPStore("127.0.0.1", server.port, None, False, wait, wait_for_workers=False))

    return connected


def each(store: Callable[[], Store], devices: int, num_nodes: int) -> list[Processes]:
    places = [
        Place(node * devices + number, number, node, devices, num_nodes)
        for node in range(num_nodes)
        for number in range(devices)
    ]
    return [Processes(place, store()) for place in places]


def side_by_side(calls: list[Callable[[], object]]) -> list[BaseException | None]:
    """What each of these raised."""
    raised: list[BaseException | None] = [None] * len(calls)

    def run(number: int) -> None:
        try:
            calls[number]()
        except BaseException as error:
            raised[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return raised


def test_the_first_prepares_before_the_other_machines_and_these_before_the_rest(store):
    order: list[int] = []

    def prepare(one: Processes) -> None:
        with one.in_turn():
            order.append(one.place.rank)

    four = each(store, 2, 2)
    assert side_by_side([lambda one=one: prepare(one) for one in four[::-1]]) == [None] * 4
    assert order[:2] == [0, 2]
    assert sorted(order) == [0, 1, 2, 3]


def test_who_waits_for_one_that_fails_is_told_which(store):
    def prepare(one: Processes) -> None:
        with one.together(), one.in_turn():
            if one.place.rank == 0:
                raise CallError("no such videos")

    first, *others = side_by_side([lambda one=one: prepare(one) for one in each(store, 2, 1)])
    assert str(first) == "no such videos"
    assert [str(error) for error in others] == [
        "process 0 (machine 0) of 2 has ended; what it said before tells why, unless it was killed. When "
        "that is mended, go on with --resume, or without it if the run folder is still empty"
    ]


def test_machines_with_one_run_folder_meet_and_leave_nothing(store, tmp_path):
    two = each(store, 1, 2)
    assert side_by_side([lambda one=one: one.meet(tmp_path) for one in two]) == [None, None]
    assert list(tmp_path.iterdir()) == []


def test_a_machine_with_another_run_folder_is_named(store, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SHOWN_SECONDS", 0.3)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()

    def meet(one: Processes) -> None:
        with one.together():
            one.meet(folders[one.place.rank])

    first, second = side_by_side([lambda one=one: meet(one) for one in each(store, 1, 2)])
    assert isinstance(second, TrainingError)
    assert str(second).startswith(f"the run folder {folders[1]} on ")
    assert "(machine 1) is not the one on " in str(second)
    assert "process 1 (machine 1) of 2 has ended" in str(first)
    assert list(folders[0].iterdir()) == []


def test_a_machine_that_nobody_starts_is_named_and_not_waited_for_without_end(
    store, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", "attcell")
    monkeypatch.setattr(processes, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(processes, "CALL_SECONDS", 0.1)
    monkeypatch.setattr(processes, "BEGIN_MINUTES", 0.01)
    with pytest.raises(TrainingError) as caught:
        Processes(Place(devices=2, num_nodes=3), store()).meet(tmp_path)
    named = (
        "no process has come from machine 1, 2 of 3 (counted from 0); start the same command there with the "
        "first one's MASTER_ADDR and MASTER_PORT, if no starter does"
    )
    assert str(caught.value) == f"in 0 minutes {named}"
    assert caplog.messages == [named]  # once
    assert list(tmp_path.iterdir()) == []


def test_who_listens_for_questions_asks_the_store_seldom(store, monkeypatch):
    monkeypatch.setattr(processes, "ANSWER_SECONDS", 5.0)
    looks: list[str] = []

    class Counted:
        def __init__(self) -> None:
            self._store = store()

        def add(self, key: str, number: int) -> int:
            looks.append(key)
            return int(self._store.add(key, number))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

    one = Processes(Place(devices=2), Counted())
    time.sleep(1.5)
    one._is_over.set()
    assert looks == ["calls"]


def test_one_that_does_not_answer_is_named_by_all_others(store, tmp_path):
    three = each(store, 3, 1)
    assert side_by_side([lambda one=one: one.meet(tmp_path) for one in three]) == [None] * 3
    three[1]._is_over.set()  # it has ended
    broken = RuntimeError("[pair.cc:534] Connection closed by peer [127.0.0.1]:1")
    assert three[0].is_lost(broken)
    assert not three[0].is_lost(RuntimeError("shape '[3]' is invalid"))
    said = [str(one.lost(broken)) for one in (three[0], three[2])]
    assert said[0] == said[1]
    assert said[0].startswith("process 1 (machine 0, ")


def test_where_all_answer_the_connection_itself_is_told(store):
    one, _ = each(store, 2, 1)
    said = str(one.lost(RuntimeError("Connection reset by peer")))
    assert said.startswith("the processes lost each other (Connection reset by peer); go on with --resume")


def test_a_child_that_ends_is_told_with_its_signal(store, monkeypatch, tmp_path):
    ends = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    monkeypatch.setattr(launching, "_own_command", lambda: ends)
    one = Processes(Place(devices=2), store())
    with (
        pytest.raises(TrainingError, match=r"process 1 \(machine 0, signal 9\) of 2 has ended"),
        launched(one),
    ):
        one.meet(tmp_path)
    assert one.ended == {1: -signal.SIGKILL}
    assert "LOCAL_RANK" not in os.environ


def test_children_get_the_same_command_and_their_place(monkeypatch, tmp_path):
    told = "import os; print(*(os.environ[name] for name in ('LOCAL_RANK', 'NODE_RANK', 'WORLD_SIZE')))"
    monkeypatch.setattr(launching, "_own_command", lambda: [sys.executable, "-c", told])
    begun: list[subprocess.Popen[bytes]] = []
    plain = subprocess.Popen

    def begin(command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        begun.append(plain(command, env=env, stdout=subprocess.PIPE))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", begin)
    with launched(Processes(Place(rank=3, node=1, devices=3, num_nodes=2))):
        pass
    assert [process.communicate()[0].split() for process in begun] == [[b"1", b"1", b"6"], [b"2", b"1", b"6"]]


def main_module(name: str | None, file: str | None) -> ModuleType:
    made = ModuleType("__main__")
    if file is not None:
        made.__file__ = file
    made.__spec__ = None if name is None else ModuleSpec(name, None)
    return made


@pytest.mark.parametrize("name", [None, "ipykernel_launcher"])
def test_a_notebook_or_a_prompt_cannot_start_others(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "__main__", main_module(name, None))
    with pytest.raises(CallError) as caught:
        meeting(Place(devices=2)).__enter__()
    assert str(caught.value) == (
        "train.devices above 1 starts this process's command again, and a notebook, a prompt or "
        "python -c has none; train by a script, by attcell train, or by torchrun"
    )


def test_a_script_and_a_module_are_started_again(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mine.py", "--wide"])
    monkeypatch.setitem(sys.modules, "__main__", main_module(None, "mine.py"))
    assert launching._own_command() == [sys.executable, str(tmp_path / "mine.py"), "--wide"]
    monkeypatch.setitem(sys.modules, "__main__", main_module("mine.all", "mine/all.py"))
    assert launching._own_command() == [sys.executable, "-m", "mine.all", "--wide"]


def test_torchrun_starts_nothing_again_at_the_store_of_those_that_ended(monkeypatch):
    server = TCPStore("127.0.0.1", free_port(), None, True, wait_for_workers=False)
    says(monkeypatch, torchrun(0, 0, 1, 2))
    says(monkeypatch, {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.port)})
    says(monkeypatch, {"TORCHELASTIC_USE_AGENT_STORE": "True"})
    PrefixStore("attcell", server).set("host 0", "as before")
    PrefixStore("attcell", server).set("gone", "1")
    with pytest.raises(CallError, match=r"has started this process again at a store .*; call torchrun again"):
        meeting(Place(devices=2, by="torchrun")).__enter__()


def test_a_port_that_is_taken_and_a_machine_that_is_not_there(monkeypatch, caplog):
    caplog.set_level("INFO", "attcell")
    monkeypatch.setattr(launching, "BEGIN_MINUTES", 0.002)
    port = free_port()
    says(monkeypatch, {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    with pytest.raises(TrainingError, match=rf"no process answers at 127.0.0.1, port {port}, where"):
        meeting(Place(rank=1, node=1, num_nodes=2)).__enter__()
    assert caplog.messages == [f"waiting for the first process at 127.0.0.1, port {port}"]
    taken = TCPStore("127.0.0.1", port, None, True, wait_for_workers=False)
    with pytest.raises(
        CallError, match=rf"port {port} of 127.0.0.1 cannot be had .*; set another MASTER_PORT"
    ):
        meeting(Place(num_nodes=2)).__enter__()
    del taken
