"""The command line. Results go to stdout; progress, warnings and errors to stderr.

Exit status: 0 done, 1 something in the data or the outcome was bad (and was said), 2 the call was wrong.
"""

from __future__ import annotations

import io
import sys

import typer

from attcell._log import messages_on_stderr
from attcell.cli import data, detect, extract, learning_rate, models, predict, research, score, train
from attcell.errors import AttcellError

app = typer.Typer(
    name="attcell",
    help="Recognise actions in videos, and see where and when the evidence is.",
    epilog="Begin with: attcell demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(research.demo, predict.predict, detect.detect, models.models, detect.calibrate),
    *(train.recipes, train.train, learning_rate.learning_rate, train.test, data.synth),
    *(research.protocol, research.ablate, research.table, research.reproduce),
):
    app.command()(command)
app.add_typer(data.data_app, name="data")
app.add_typer(extract.extract_app, name="extract")
app.add_typer(score.score_app, name="score")


def main() -> None:
    """Run the command line; a user's mistake ends in one message and an exit status, not in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with messages_on_stderr():
            app()
    except AttcellError as error:
        print(f"attcell: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except SystemExit as ended:
        if ended.code == 130:  # what typer makes of Ctrl-C
            print("attcell: interrupted", file=sys.stderr)
        raise
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"attcell: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
