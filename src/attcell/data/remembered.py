"""What was found out about files before, so that a start over a large data set need not look at all of them.

An answer is remembered under the *state* of the files that it depends on: where they lie on the disk, their
length, and when they last changed. A file that was changed or replaced has another state, and is looked at
anew; a file that is not right is never remembered. A folder changes where a name in it comes, goes or is
given to another file; where it counts what its files hold, their states are part of the folder's. What
changed a moment ago is not remembered either, because it may change once more within one tick of the disk's
clock.

Answers that belong to no run lie in ``attcell/remembered.sqlite`` in the user's folder of caches
(``$ATTCELL_CACHE`` names another folder). Where it cannot be written, every start looks at all files.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from attcell._log import logger, track
from attcell._urls import UrlStat
from attcell.errors import AttcellError
from attcell.flow import cache_folder

SETTLED_SECONDS = 2.0  # the coarsest clocks of disks go on every two seconds
_MOST_ASKED = 500  # of a data base in one question
_KEPT_AT_ONCE = 1000  # answers that are written together, so that a broken-off start loses few
_AT_ONCE = 64  # states that one thread asks for in one go
_MOST_THREADS = 32

Job = TypeVar("Job")


class State(NamedTuple):
    """What files are like at a moment.

    Attributes:
        text: equal for equal files.
        changed: when the last of them changed, in seconds since 1970, which nobody can set.
    """

    text: str
    changed: float


def state_of(*paths: Path, contents: Sequence[Path] = ()) -> State:
    """The state of some files or folders together.

    Args:
        paths: files, and folders of which the names inside count.
        contents: folders of which each file counts.

    Raises:
        OSError: one is not there, or on a server that does not tell when it changes.
    """
    seen = [path.stat() for path in (*paths, *contents)]
    if any(isinstance(stat, UrlStat) and not stat.version for stat in seen):
        raise OSError("a server does not tell when its files change")
    texts = [" ".join(map(str, (stat.st_dev, stat.st_ino, *_numbers(stat)))) for stat in seen]
    for folder in contents:
        files = files_inside(folder)
        seen += files.values()
        lines = "".join(f"{name} {_numbers(stat)}\n" for name, stat in files.items())
        texts.append(hashlib.sha256(os.fsencode(lines)).hexdigest())
    return State("; ".join(texts), max(stat.st_ctime for stat in seen))


def files_inside(folder: Path) -> dict[str, os.stat_result]:
    """Name → state of all that lies in a folder, by name."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat() for entry in sorted(entries, key=lambda entry: entry.name)}


def _numbers(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class AnswerCache:
    """Answers on disk, by their questions; several processes may use them at once.

    Args:
        file: an SQLite data base, which is made when the first answer is written; None for no cache.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def known(self, questions: Sequence[str]) -> dict[str, str]:
        """The answers that are there; none where the cache cannot be read."""
        if self.file is None or not self.file.is_file():
            return {}
        found: dict[str, str] = {}
        try:
            with closing(sqlite3.connect(self.file, timeout=30)) as cache:
                for start in range(0, len(questions), _MOST_ASKED):
                    some = {_as_text(asked): asked for asked in questions[start : start + _MOST_ASKED]}
                    marks = ",".join("?" * len(some))
                    query = f"SELECT question, answer FROM answers WHERE question IN ({marks})"
                    rows = dict(cache.execute(query, tuple(some)))
                    found.update((asked, rows[text]) for text, asked in some.items() if text in rows)
        except (sqlite3.Error, UnicodeDecodeError):
            return {}
        return {asked: answer for asked, answer in found.items() if isinstance(answer, str)}

    def remember(self, answers: Mapping[str, str]) -> None:
        """Write answers, if that can be done."""
        if self.file is None or not answers:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=30)) as cache, cache:
                cache.execute("PRAGMA synchronous = OFF")  # what a power cut takes is found out again
                cache.execute("CREATE TABLE IF NOT EXISTS answers (question TEXT PRIMARY KEY, answer TEXT)")
                rows = [tuple(map(_as_text, of)) for of in answers.items()]
                cache.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            _tell_of_no_cache(self.file, str(error))


def _as_text(text: str) -> str:
    """Text as SQLite takes it: a file's name may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _tell_of_no_cache(file: Path, reason: str) -> None:
    logger.info(
        f"{file} cannot be written ({reason}): what is found out about videos is not remembered. Mend it, "
        "delete it, or set ATTCELL_CACHE to another folder"
    )


def user_cache() -> AnswerCache:
    """The cache of what belongs to no run; none for a user without a home."""
    try:
        return AnswerCache(cache_folder() / "remembered.sqlite")
    except RuntimeError:
        return AnswerCache(None)


class Check(NamedTuple):
    """What is to be found out about one job.

    Attributes:
        question: what the answer depends on beside the files.
        files: those that the answer depends on, and folders of which it depends on the names inside; where
            there are none, it is not remembered.
        find: gives the answer, or raises an AttcellError, which is not remembered.
        contents: folders of which the answer depends on each file.
    """

    question: str
    files: tuple[Path, ...]
    find: Callable[[], str]
    contents: tuple[Path, ...] = ()


def cached_answers(
    checks: Sequence[Check],
    description: str,
    cache: AnswerCache | None = None,
    settled_seconds: float | None = None,
) -> list[str | AttcellError]:
    """The answer to each check, or why there is none: from the cache, or found out now and remembered.

    What is not known is looked at side by side, on some threads, with a bar.

    Args:
        checks: what is to be found out.
        description: of the bar.
        cache: where answers are remembered; by default the user's.
        settled_seconds: how long before the check the last change must be for the answer to be remembered; by
            default ``SETTLED_SECONDS``.
    """
    cache = user_cache() if cache is None else cache
    settled = SETTLED_SECONDS if settled_seconds is None else settled_seconds
    pool = ThreadPoolExecutor(min(_MOST_THREADS, 2 * (os.cpu_count() or 1)))
    fresh: dict[str, str] = {}
    try:
        parts = [checks[start : start + _AT_ONCE] for start in range(0, len(checks), _AT_ONCE)]
        states = [state for part in pool.map(_states, parts) for state in part]
        known = cache.known([state.text for state in states if state is not None])
        answers: list[str | AttcellError | None] = [state and known.get(state.text) for state in states]
        unknown = [place for place, answer in enumerate(answers) if answer is None]
        found = pool.map(lambda place: _found(checks[place], states[place], settled), unknown)
        for place, (answer, state) in zip(unknown, track(found, len(unknown), description), strict=True):
            answers[place] = answer
            if state is not None and isinstance(answer, str):
                fresh[state.text] = answer
            if len(fresh) >= _KEPT_AT_ONCE:
                cache.remember(fresh)
                fresh = {}
    finally:
        pool.shutdown(cancel_futures=True)
        cache.remember(fresh)
    return [answer for answer in answers if answer is not None]


def _states(checks: Sequence[Check]) -> list[State | None]:
    return [_state(check) for check in checks]


def _state(check: Check) -> State | None:
    if not check.files:
        return None
    try:
        state = state_of(*check.files, contents=check.contents)
    except (OSError, ValueError):  # a name may hold what no name may
        return None
    return State(f"{check.question}: {state.text}", state.changed)


def _found(
    check: Check, before: State | None, settled_seconds: float
) -> tuple[str | AttcellError, State | None]:
    """The answer, and the files' state, if they were surely the same all the time."""
    begun = time.time()
    try:
        answer: str | AttcellError = check.find()
    except AttcellError as error:
        answer = error
    is_sure = before is not None and before.changed <= begun - settled_seconds and _state(check) == before
    return answer, before if is_sure else None
