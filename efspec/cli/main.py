"""The `efspec` command."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

# Start-up: what is imported stays, so looking for garbage meanwhile is wasted; and looking through
# all installed packages for plugins of pydantic's costs more than scoring a network.
gc.disable()
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer  # noqa: E402
from typer.core import TyperGroup  # noqa: E402

from efspec.cli import interrupts  # noqa: E402
from efspec.cli.console import print_error  # noqa: E402
from efspec.errors import EfspecError, fail  # noqa: E402

COMMANDS = (
    "build",
    "score",
    "validate",
    "show",
    "diff",
    "lint",
    "generate",
    "import",
    "convert",
    "verify",
    "latency",
    "search",
    "train",
    "schema",
    "doctor",
)
"""Names of the commands, which are also those of their modules, in the order of the help."""

GARBAGE = 50_000
"""How many more objects there may be until garbage is looked for: most of what is made is kept."""

SETTINGS: dict[str, Any] = {
    # Help on a terminal is worth the time that drawing it takes; what is piped is plain.
    "rich_markup_mode": "markdown" if sys.stdout and sys.stdout.isatty() else None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(TyperGroup):
    """The commands; the module of one is imported when it is wanted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None."""
        # When there is none of this name, one is suggested from among those that are loaded.
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                own = typer.Typer(add_completion=False, **SETTINGS)
                module = f"{name}_" if iskeyword(name) else name
                import_module(f"efspec.cli.{module}").register(own)
                self.commands[name] = typer.main.get_command(own)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader of its output that has seen enough ends it, and all is well."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where it is known what to do if it fails
        except BrokenPipeError:
            _give_up_stdout()
            raise typer.Exit from None


app = typer.Typer(name="efspec", cls=Commands, no_args_is_help=True, **SETTINGS)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"efspec {version('efspec')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Compile specs of EfficientFormer-style vision networks.

    A spec is a path, the name of a shipped spec such as `v2_s1`, or `-` for standard input.
    Results go to standard output, diagnostics and progress to standard error.
    Exit codes: 0 fine, 1 the input is wrong, 2 wrong usage, 3 a check found a difference.
    """


def _open_streams() -> None:
    """Make streams that take and give anything: there may be none, or one that knows ASCII only."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # the process was started with it closed
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, mode), "utf-8"))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _give_up_stdout() -> None:
    """Lose what cannot be written, which Python would try again at the end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def main() -> None:
    """Run the command line; mistakes of the user become diagnostics and exit code 1."""
    gc.enable()
    gc.set_threshold(GARBAGE)
    atexit.register(_leave)
    interrupts.listen()
    try:
        _open_streams()
        app()
    except EfspecError as error:
        print_error(error)
        sys.exit(1)
    except OSError as error:
        _give_up_stdout()
        file = str(error.filename or "")
        print_error(fail("cannot-access", error.strerror or str(error), file=file))
        sys.exit(1)
    except Exception:
        if interrupts.seen():  # a library took it for an error of its own, and failed later
            sys.exit(interrupts.EXIT)
        raise


def _leave() -> None:
    """Do not look through everything for garbage at the end, either."""
    if "triton" not in sys.modules:  # its bindings would report what is left as leaks, at length
        gc.freeze()


if __name__ == "__main__":
    main()
