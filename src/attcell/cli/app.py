"""The command line. Results go to stdout; progress, warnings and errors to stderr.

Exit status: 0 done, 1 something in the data or the outcome was bad (and was said), 2 the call was wrong; 130,
143 and 129 where Ctrl-C, SIGTERM or SIGHUP ended it.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from attcell._checks import flat
from attcell._log import messages_on_stderr
from attcell._owners import is_first_process
from attcell._terminal import escaped_stdout, message, put
from attcell.cli import (
    data,
    detect,
    doctor,
    export,
    extract,
    labels,
    learning_rate,
    models,
    plan,
    predict,
    push,
    research,
    score,
    serve,
    sweep,
    train,
)
from attcell.cli.common import interruption
from attcell.errors import AttcellError

app = typer.Typer(
    name="attcell",
    help="Recognise actions in videos, and see where and when the evidence is.",
    epilog="Begin with: attcell demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(research.demo, predict.predict, detect.detect, models.models, detect.calibrate),
    *(
        train.recipes,
        plan.plan,
        train.train,
        learning_rate.learning_rate,
        sweep.sweep,
        train.test,
        export.export,
        push.push,
        data.synth,
    ),
    *(research.protocol, research.ablate, research.table, research.reproduce, doctor.doctor, serve.serve),
):
    app.command()(command)
app.add_typer(data.data_app, name="data")
app.add_typer(extract.extract_app, name="extract")
app.add_typer(score.score_app, name="score")
app.add_typer(labels.labels_app, name="labels")


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        put(f"attcell {version('attcell')}")
        raise typer.Exit


@app.callback()
def _of_all_commands(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line; a user's mistake ends in one message and an exit status, not in a traceback."""
    # PyTorch reads it as it is imported: its threads that wait leave their cores to decoders.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # The number of a closed stream goes to the next file that is opened, and what libraries print into it.
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", errors="backslashreplace")  # noqa: SIM115
    if sys.stdout is None:
        _say("stdout is closed, and results go there; send it to a file, or to /dev/null")
        sys.exit(2)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    with interruption.listening():
        try:
            with messages_on_stderr(), escaped_stdout():
                try:
                    app(prog_name="attcell")
                finally:
                    sys.stdout.flush()  # here, where a full disk can still be told
        except BaseException as error:
            sys.exit(_end(error))


def _end(error: BaseException) -> int:
    """Say why the command ends, and return its exit status; what is no user's mistake is raised again."""
    if (ended := interruption.interrupted(error)) is not None:
        status, sentence = ended
        if is_first_process():  # of a distributed training one process says it
            _say(sentence)
        _leave_stdout()
        return status
    if isinstance(error, AttcellError):
        _say(str(error))
        return error.exit_status
    if isinstance(error, OSError):  # a full disk, a folder that may not be written
        if not isinstance(error, BrokenPipeError):  # who reads stdout may have enough
            where = f": {error.filename}" if error.filename else ""
            _say(f"{error.strerror or error}{where}")
        _leave_stdout()
        return 1
    if _is_of_memory(error):
        what = flat(error)[:200]
        _say(
            f"there is not enough memory{f' ({what})' if what else ''}; end other programs, raise the limit "
            "(ulimit -v shows it), or ask for less at once: fewer workers, smaller batches, smaller frames"
        )
        return 1
    raise error


_OF_MEMORY = re.compile(
    "can't allocate memory|cannot allocate memory|not enough memory|out of memory|failed to map segment"
    "|can't start new thread",
    re.IGNORECASE,
)


def _is_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. Libraries say that by errors of many kinds, also when they are imported."""
    is_of_a_kind = isinstance(error, RuntimeError | ImportError) and _OF_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError) or is_of_a_kind


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(message(f"attcell: {text}"), file=sys.stderr, flush=True)


def _leave_stdout() -> None:
    """Else Python would try once more at its end to write what could not be written, and say that too."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
