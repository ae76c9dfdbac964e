"""The command `combmesh`: verbs, and the exit code that each ending has."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Annotated, NoReturn

import typer

from combmesh import __version__
from combmesh.cli import (
    attack,
    budget,
    comb,
    distill,
    explain,
    key,
    lock,
    operate,
    pulses,
    rate,
    run,
    schema,
    secret,
    sift,
    tags,
)
from combmesh.ground.errors import InputError, RunError

DONE, FAILED, BAD_INPUT, NEEDS_A_PERSON, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    help="Design, run and key a fully connected quantum network driven by soliton microcombs.",
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 done with a finding that needs a person, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("key")(key.key)
app.command("rate")(rate.rate)
app.command("pulses")(pulses.pulses)
app.command("tags")(tags.tags)
app.command("sift")(sift.sift)
app.command("distill")(distill.distill)
app.add_typer(secret.app, name="secret")
app.command("attack")(attack.attack)
app.command("lock")(lock.lock)
app.command("comb")(comb.comb)
app.command("budget")(budget.budget)
app.command("operate")(operate.operate)
app.command("explain")(explain.explain)
app.command("schema")(schema.schema)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"combmesh {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run a verb and leave with its exit code; an error on purpose is one sentence, not a traceback."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(stop, _interrupt)
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer makes it of a KeyboardInterrupt
            code = _complain("Stopped.", INTERRUPTED)
    except InputError as error:
        code = _complain(str(error), BAD_INPUT)
    except RunError as error:
        code = _complain(str(error), FAILED)
    except typer.Abort:
        code = _complain("Stopped.", INTERRUPTED)
    except KeyboardInterrupt:
        code = _complain("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left; nothing more to say
        code = FAILED
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # a mistake on the command line, in typer's words
        code = BAD_INPUT
    sys.exit(code or DONE)


def _complain(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop here; a moment later where compiled code has called Python, for it would crash on an exception."""
    place = frame.f_code.co_filename if frame is not None else ""
    if "llvmlite" in place or place.endswith("numba/core/serialize.py"):
        later = threading.Timer(0.05, os.kill, (os.getpid(), number))
        later.daemon = True
        later.start()
        return
    raise KeyboardInterrupt
