"""The driver: it cuts a list of videos into blocks, and takes what comes of them in their order."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import torch

from attcell._checks import flat
from attcell._log import logger
from attcell._owners import temporary_in
from attcell._paths import SHOWN_SECONDS, is_there
from attcell._ray.entry import Sent, Worker, do_block
from attcell._ray.ledger import Ledger
from attcell._ray.wire import dumps, loads
from attcell._ray.work import OURS, Answer, Job, versions
from attcell._spread import Work
from attcell._urls import is_url
from attcell.errors import AttcellError, DataError

if TYPE_CHECKING:
    import pyarrow
    import ray.data

Item = TypeVar("Item")
Result = TypeVar("Result")

# Between two blocks a worker waits for .1 s or more: Ray Data looks ten times a second at who is done.
_MOST_VIDEOS = 256  # of a block
_TURNS = 3  # a block is so small that each worker could do so many like it of what is left
_LEAST_TURNS = 16  # of the whole list, then it is no smaller


@dataclass(frozen=True)
class Slots:
    """How many workers there are at a time, and what each of them has."""

    count: int
    cores: int
    gpus: int


class RaySite:
    """A cluster; a :class:`attcell._spread.Site`.

    Args:
        connect: connects this process to it, when there is work for it, and returns what ends that.
    """

    def __init__(self, connect: Callable[[], Callable[[], None]]) -> None:
        self._connect = connect
        self._leave: Callable[[], None] | None = None
        self._name = f"attcell-{uuid.uuid4().hex}"
        self._ledger: Any = None
        self._begun = WeakSet[Generator[Any, None, None]]()

    def leave(self) -> None:
        """Disconnect, if this is connected; what is being worked on ends."""
        for results in list(self._begun):
            results.close()  # while there is a cluster to be told
        if self._leave is not None:
            self._leave()
            self._leave = self._ledger = None  # which ends the ledger, where others stay connected

    def results(self, work: Work[Item, Result]) -> Iterator[Result]:
        """As of a :class:`attcell._spread.Site`.

        Raises:
            DataError: a node lacks a video or a folder that is here, or runs other versions.
            AttcellError: the cluster fails.
        """
        if not work.items:
            return
        if self._leave is None:
            self._leave = self._connect()
            self._ledger = _ledger(self._name)
        results = self._answered(work)
        self._begun.add(results)
        with closing(results):
            yield from all_of(results, len(work.items))

    def _answered(self, work: Work[Any, Any]) -> Generator[Any, None, None]:
        from ray.exceptions import RayError

        ledger, slots, items = self._ledger, slots_of(computes=work.computes), work.items
        blocks = blocks_of(len(items), slots.count)
        job = Job(work.function, work.path_of)
        try:
            with _run(ledger, job, slots.count) as run, signs_in(work.into) as signs:
                sent = _sent(self._name, run, slots, signs, computes=work.computes)
                data = _data(items, blocks, sent, slots)
                firsts = {block.stop: block.start for block in blocks}
                with closing(_answers(data)) as answers:
                    for place, answer in enumerate(answers):
                        if answer.place != place and not answer.is_error:  # lost, or there twice
                            return
                        yield _result(answer, job.path_of(items[answer.place]))
                        if place + 1 in firsts:
                            ledger.arrived.remote(run, firsts[place + 1])
        except RayError as error:
            raise AttcellError(
                f"the cluster cannot go on ({flat(error)[:500]}); look at its nodes (ray status), and run "
                "again"
            ) from error


@contextmanager
def _run(ledger: Any, job: Job, slots: int) -> Iterator[str]:
    """The name of a list of videos, which the ledger knows meanwhile."""
    import ray

    run = uuid.uuid4().hex
    ray.get(ledger.opens.remote(run, [ray.put(dumps(job))], slots))
    try:
        yield run
    finally:
        with suppress(Exception):  # the cluster may have ended, and nobody knows of the list
            ledger.closes.remote(run)


@contextmanager
def signs_in(folders: Iterable[Path]) -> Iterator[tuple[Path, ...]]:
    """A hidden file in each folder that lies on a disk, meanwhile; the folders are made."""
    signs = tuple(temporary_in(folder, "one-folder") for folder in folders if not is_url(folder))
    try:
        for sign in signs:
            sign.parent.mkdir(parents=True, exist_ok=True)
            sign.touch()
        yield signs
    finally:
        for sign in signs:
            with suppress(OSError):
                sign.unlink()


def all_of(results: Iterable[Result], count: int) -> Iterator[Result]:
    """The results, which must be so many.

    Raises:
        AttcellError: they are fewer.
    """
    come = 0
    for result in results:
        come += 1
        yield result
    if come < count:
        raise AttcellError(
            f"the cluster has ended its work after {come} of {count} videos; run again, and take all results "
            "before the cluster is left"
        )


def _result(answer: Answer, path: Path) -> Any:
    for record in answer.messages:
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    if answer.is_error:
        raise answer.result
    if answer.lacking and is_there(path):
        raise DataError(
            f"{answer.lacking} has no {path}, which is here; videos lie at the same path on every node, or "
            "at a URL"
        )
    return answer.result


def slots_of(*, computes: bool) -> Slots:
    """The workers of this cluster: each with a GPU where a network runs and there are any, else with as many
    cores as the network has threads, if nodes have so many.
    """
    import ray

    nodes = [of["Resources"] for of in ray.nodes() if of["Alive"]]
    on_gpus = [of for of in nodes if of.get("GPU", 0) >= 1 and of.get("CPU", 0) >= 1]
    if computes and on_gpus:
        cores = max(1, min(int(of["CPU"] // of["GPU"]) for of in on_gpus))
        return Slots(sum(int(of["GPU"]) for of in on_gpus), cores, 1)
    on_cores = [int(of["CPU"]) for of in nodes if of.get("CPU", 0) >= 1]
    if not on_cores:
        raise AttcellError("no node of the cluster has a core to work with; see ray status")
    cores = min(torch.get_num_threads(), *on_cores) if computes else 1
    return Slots(sum(of // cores for of in on_cores), cores, 0)


def blocks_of(count: int, slots: int) -> list[range]:
    """So many videos as blocks, which get smaller towards the end, so that all workers end at about the same
    time.
    """
    least = min(_MOST_VIDEOS, max(1, count // (_LEAST_TURNS * slots)))
    blocks: list[range] = []
    first = 0
    while first < count:
        size = min(_MOST_VIDEOS, max(least, (count - first) // (_TURNS * slots)), count - first)
        blocks.append(range(first, first + size))
        first += size
    return blocks


def _sent(ledger: str, run: str, slots: Slots, signs: tuple[Path, ...], *, computes: bool) -> Sent:
    return Sent(
        ledger,
        run,
        str(Path.cwd()),
        {name: value for name, value in os.environ.items() if name.startswith(OURS)},
        versions(),
        torch.get_num_threads(),
        slots.cores,
        logger.getEffectiveLevel(),
        computes,
        signs,
        SHOWN_SECONDS,
    )


def _ledger(name: str) -> Any:
    """A new actor beside this process."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    beside = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Ledger).options(name=name, num_cpus=0, scheduling_strategy=beside).remote()


def _data(items: Sequence[Any], blocks: Sequence[range], sent: Sent, slots: Slots) -> ray.data.Dataset:
    """The answers, as a data set that is computed when it is read. A worker or node that ends costs no block:
    Ray Data gives it to another (tasks have max_retries -1 there, actors max_restarts and max_task_retries),
    and the ledger ends what would have no end.
    """
    import ray.data

    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # each row goes out as it comes
    context.enable_progress_bars = context.enable_operator_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # a video may take hours
    rows = [{"first": of.start, "items": dumps(list(items[of.start : of.stop]))} for of in blocks]
    asked: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow", "num_cpus": slots.cores}
    with ray.data.DataContext.current(context):
        read = ray.data.from_items(rows, override_num_blocks=len(rows))
        if not slots.gpus:
            return read.map_batches(partial(do_block, sent=sent), **asked)
        return read.map_batches(
            Worker,
            fn_constructor_args=(sent,),
            num_gpus=slots.gpus,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=slots.count),
            **asked,
        )


def _answers(data: ray.data.Dataset) -> Generator[Answer, None, None]:
    batches: Iterable[pyarrow.Table] = data.iter_batches(
        batch_size=None, batch_format="pyarrow", prefetch_batches=0
    )
    for table in batches:
        for row in table["answers"]:
            yield from map(loads, loads(row.as_buffer()))
