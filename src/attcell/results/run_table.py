"""Runs as the rows of a table: means over splits and seeds, and published figures under ours.

Runs of one name and data set form a row. A seed's figure is the mean over its splits; the row's is the mean
over seeds with the sample deviation. Only seeds that have every split of the row count, so that no mean is
of unequal sets; what does not count is noted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from attcell.errors import DataError
from attcell.results.runs import FinishedRun, Published

OWN_COLUMNS = ("streams", "videos", "unread")  # of the protocol; the others are said under the table
Splits = dict[int | str | None, FinishedRun]
Key = TypeVar("Key", int | None, int | str | None)


@dataclass(frozen=True)
class Figure:
    """A figure in percent: its mean, None where there is none, and the deviation over two seeds or more.

    ``is_lost`` says that a publication had it, but that the copy at hand has lost the number.
    """

    mean: float | None
    deviation: float | None = None
    is_lost: bool = False


@dataclass(frozen=True)
class Row:
    """Runs of one name on one data set, or a row of a publication.

    Attributes:
        name: of the run, or of the publication's row.
        dataset: the data set, empty where it is not known.
        figures: name → figure.
        source: the publication; empty for a row of runs.
        streams: of the network.
        splits: those that count.
        seeds: those that count.
        num_videos: tested with one seed, in all splits together; of the seed with most.
        num_unread: of these; of the seed with most.
        protocol: name → words, several parted by a slash; None for a publication.
        notes: what does not count, or differs within the row; of a publication, what the numbers do not say.
    """

    name: str
    dataset: str
    figures: dict[str, Figure]
    source: str = ""
    streams: str = ""
    splits: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    num_videos: int | None = None
    num_unread: int | None = None
    protocol: dict[str, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What notes call it."""
        name = f"{self.name} (published)" if self.source else self.name
        return f"{name} on {self.dataset}" if self.dataset else name


@dataclass(frozen=True)
class Table:
    """Rows, the names of their figures, and the protocol: what all runs share, and what differs by row."""

    rows: tuple[Row, ...]
    figures: tuple[str, ...]
    shared: dict[str, str]
    differing: tuple[str, ...]


def table_of(runs: Sequence[FinishedRun]) -> Table:
    """The table of these runs, in the order of the first of each row; published rivals come last.

    Raises:
        DataError: two files of the same run, split and seed, or two values of one published figure.
    """
    groups: dict[tuple[str, str], list[FinishedRun]] = {}
    for run, name in zip(runs, _names(runs), strict=True):
        groups.setdefault((name, run.dataset or ""), []).append(run)
    published = _published_rows(groups, lambda run: run.published)
    rows: list[Row] = []
    for key, members in groups.items():
        rows += [_row(*key, members), *published.get(key, [])]
    for of_data_set in _published_rows(groups, lambda run: run.rivals).values():
        rows += of_data_set
    figures = dict.fromkeys(name for run in runs for name in run.figures)
    figures |= dict.fromkeys(one.figure for run in runs for one in (*run.published, *run.rivals))
    keys = dict.fromkeys(key for run in runs for key in run.protocol if key not in OWN_COLUMNS)
    shared = [key for key in keys if len({run.protocol.get(key) for run in runs}) == 1]
    return Table(
        tuple(rows),
        tuple(figures),
        {key: runs[0].protocol[key] for key in shared},
        tuple(key for key in keys if key not in shared),
    )


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    """The runs' names; one that has none is called as its folder, with folders above that tell it apart."""
    nameless = [str(run.path.resolve().parent) for run in runs if run.name is None]
    if not nameless:
        return [run.name or "" for run in runs]
    from attcell._paths import short_names

    folders = iter(short_names(nameless))
    return [next(folders) if run.name is None else run.name for run in runs]


def _row(name: str, dataset: str, runs: Sequence[FinishedRun]) -> Row:
    row = Row(name, dataset, {})
    by_seed = _by_seed(row.label, runs)
    splits = _ordered({split for of in by_seed.values() for split in of})
    counting = {seed: of for seed, of in by_seed.items() if len(of) == len(splits)}
    notes = _incomplete_notes(by_seed, splits, bool(counting))
    used = counting or by_seed
    members = [run for of in used.values() for run in of.values()]
    figures: dict[str, Figure] = {}
    for figure in dict.fromkeys(figure for run in members for figure in run.figures):
        lacking = [run for run in members if figure not in run.figures]
        if lacking:
            notes.append(f"no {_spaced(figure)}, because {lacking[0].path} has none")
        figures[figure] = Figure(None) if lacking or not counting else _figure(figure, counting)
    keys = dict.fromkeys(key for run in members for key in run.protocol if key not in OWN_COLUMNS)
    unread = {seed: sum(run.num_unread for run in of.values()) for seed, of in used.items()}
    if len(set(unread.values())) > 1:
        each = ", ".join(f"{number} ({_seed_words(seed)})" for seed, number in unread.items())
        notes.append(f"unread videos differ: {each}; the most are shown")
    return replace(
        row,
        figures=figures,
        streams=_joined(run.protocol.get("streams", "") for run in members),
        splits=tuple(str(split) for split in splits if split is not None),
        seeds=tuple(str(seed) for seed in used if seed is not None),
        num_videos=max(sum(len(run.videos) for run in of.values()) for of in used.values()),
        num_unread=max(unread.values()),
        protocol={key: _joined(run.protocol.get(key, "not said") for run in members) for key in keys},
        notes=(*notes, *_protocol_notes(members, keys), *_video_notes(used)),
    )


def _by_seed(label: str, runs: Sequence[FinishedRun]) -> dict[int | None, Splits]:
    """Seed → split → run, in order."""
    found: dict[int | None, Splits] = {}
    for run in runs:
        other = found.setdefault(run.seed, {}).setdefault(run.split, run)
        if other is not run:
            raise DataError(
                f"{other.path} and {run.path} are both {label}, {_run_words(run)}; leave one of them out, "
                'or tell them apart by "run" in the files'
            )
    return {seed: {split: found[seed][split] for split in _ordered(found[seed])} for seed in _ordered(found)}


def _ordered(keys: Iterable[Key]) -> list[Key]:
    """Numbers, then texts, then None."""
    return sorted(keys, key=lambda key: (key is None, isinstance(key, str), key or 0))


def _figure(name: str, counting: dict[int | None, Splits]) -> Figure:
    means = [statistics.fmean(run.figures[name] for run in of.values()) for of in counting.values()]
    return Figure(statistics.fmean(means), statistics.stdev(means) if len(means) > 1 else None)


def _incomplete_notes(
    by_seed: dict[int | None, Splits], splits: Sequence[int | str | None], some_count: bool
) -> list[str]:
    notes = []
    for seed, of in by_seed.items():
        lacking = ", ".join(_split_words(split) for split in splits if split not in of)
        if lacking:
            end = " and does not count" if some_count else ""
            notes.append(f"{_seed_words(seed)} lacks {lacking}{end}")
    return notes if some_count else [*notes, "no seed has every split, so there are no figures"]


def _protocol_notes(runs: Sequence[FinishedRun], keys: Iterable[str]) -> list[str]:
    """What is not the same for all runs of a row."""
    notes = []
    for key in (*keys, "streams"):
        by_words: dict[str, list[str]] = {}
        for run in runs:
            by_words.setdefault(run.protocol.get(key, "not said"), []).append(_run_words(run))
        if len(by_words) > 1:
            each = "; ".join(f"{words} in {', '.join(of)}" for words, of in by_words.items())
            notes.append(f"its runs differ in {_spaced(key)}: {each}")
    return notes


def _video_notes(by_seed: dict[int | None, Splits]) -> list[str]:
    """Splits of one name that are not the same videos."""
    first, *others = by_seed.values()
    return [
        f"{run.path} is not of the same videos as {first[split].path}"
        for of in others
        for split, run in of.items()
        if split in first and run.videos != first[split].videos
    ]


def _published_rows(
    groups: dict[tuple[str, str], list[FinishedRun]], of: Callable[[FinishedRun], tuple[Published, ...]]
) -> dict[tuple[str, str], list[Row]]:
    """The published rows that stand under each row of runs; one that several name stands under the first."""
    found: dict[tuple[str, str, str], dict[str, tuple[Published, FinishedRun]]] = {}
    under: dict[tuple[str, str, str], tuple[str, str]] = {}
    for key, runs in groups.items():
        for run in runs:
            for one in of(run):
                place = (key[1], one.row, one.source)
                under.setdefault(place, key)
                before, where = found.setdefault(place, {}).setdefault(one.figure, (one, run))
                if before.value != one.value:
                    raise DataError(
                        f"{where.path} and {run.path} disagree on {one.figure} of {one.row} ({one.source}): "
                        f"{before.value} and {one.value}; correct one of them"
                    )
    rows: dict[tuple[str, str], list[Row]] = {}
    for place, figures in found.items():
        dataset, name, source = place
        values = {
            figure: Figure(one.value, is_lost=one.value is None) for figure, (one, _) in figures.items()
        }
        notes = dict.fromkeys(one.note for one, _ in figures.values() if one.note)
        rows.setdefault(under[place], []).append(Row(name, dataset, values, source, notes=tuple(notes)))
    return rows


def _joined(words: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(words))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _seed_words(seed: int | None) -> str:
    return "no seed" if seed is None else f"seed {seed}"


def _split_words(split: int | str | None) -> str:
    return "no split" if split is None else f"split {split}"


def _run_words(run: FinishedRun) -> str:
    return f"{_split_words(run.split)}, {_seed_words(run.seed)}"
