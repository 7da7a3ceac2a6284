"""What finds a candidate's accuracy: a command, a function, or results that are there already."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from efspec.errors import EfspecError, fail
from efspec.search.evaluation import Evaluate
from efspec.spec.candidates import Candidate, member
from efspec.spec.dump import dump, spec_hash
from efspec.spec.schema import NetworkSpec
from efspec.spec.space import SpaceSpec

TIMEOUT = 3600.0
"""Seconds after which a command is taken to hang."""
MAX_TOLD = 500
"""Characters of what a command said that are told when it fails."""
Answer = float | Mapping[str, float]


def by_command(space: SpaceSpec, command: Sequence[str], timeout: float = TIMEOUT) -> Evaluate:
    """The accuracies that a command tells.

    It is given a spec as JSON on standard input, and prints, on its last line, a number from 0 to 1
    or a mapping such as {"accuracy": 0.75}.

    Args:
        space: The space that candidates are of.
        command: The command and its arguments.
        timeout: Seconds that it may take.
    """

    def evaluate(candidate: Candidate) -> float:
        spec = member(space, candidate)
        text = dump(spec, format="json")
        out = _output(command, text, timeout)
        lines = out.strip().splitlines()
        try:
            return _accuracy(json.loads(lines[-1] if lines else ""))
        except (ValueError, TypeError, KeyError):
            said = repr(lines[-1][-MAX_TOLD:]) if lines else "nothing"
            raise _failed(command, f"it printed {said}") from None

    return evaluate


def by_function(space: SpaceSpec, name: str) -> Evaluate:
    """The accuracies that a Python function gives for specs.

    Args:
        space: The space that candidates are of.
        name: The function, as `package.module:function`; it takes a `NetworkSpec`.

    Raises:
        EfspecError: When there is no such function.
    """
    function = _imported(name)

    def evaluate(candidate: Candidate) -> float:
        try:
            return _accuracy(function(member(space, candidate)))
        except EfspecError:
            raise
        except Exception as error:  # it is the user's, and may raise anything
            reason = f"{type(error).__name__}: {error}"[:MAX_TOLD]
            raise fail(
                "failed-evaluator",
                f"`{name}` failed: {reason}",
                fix="mend it and go on with --resume: nothing is lost",
            ) from error

    return evaluate


def by_results(space: SpaceSpec, file: Path) -> Evaluate:
    """The accuracies in a CSV file with the columns `hash`, of specs, and `accuracy`.

    Raises:
        EfspecError: When it is no such file.
    """
    known: dict[str, float] = {}
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                known[row["hash"]] = float(row["accuracy"])
    except (KeyError, TypeError, ValueError, csv.Error):
        raise fail(
            "bad-results",
            "it does not hold a hash and an accuracy in every row",
            expected="CSV with the columns hash and accuracy",
            file=str(file),
        ) from None

    def evaluate(candidate: Candidate) -> float:
        # A spec's hash is that of its contents, its name included: names are the space's.
        key = spec_hash(member(space, candidate))
        if key not in known:
            raise fail(
                "no-result",
                f"there is no accuracy of the network {key[:12]}",
                file=str(file),
                fix="add it, and go on with --resume: nothing is lost",
            )
        return known[key]

    return evaluate


def _output(command: Sequence[str], text: str, timeout: float) -> str:
    """What a command prints; if it takes too long, it ends, with all that it has started."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(command, error.strerror or "it cannot be run") from None
    with process:  # closes its streams, and waits
        try:
            out, told = process.communicate(text, timeout)
        except subprocess.TimeoutExpired:
            raise _failed(command, f"it took more than {timeout:g} seconds") from None
        finally:
            # Also what a command left behind that ended by itself, and on an interruption.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        last = told.strip()[-MAX_TOLD:]
        reason = f"it ended with {process.returncode}"
        raise _failed(command, f"{reason}: {last}" if last else reason)
    return out


def _accuracy(answer: Answer) -> float:
    return float(answer["accuracy"] if isinstance(answer, Mapping) else answer)


def _imported(name: str) -> Callable[[NetworkSpec], Answer]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise fail(
            "failed-evaluator",
            f"there is no function {name!a}: {error}",
            expected="package.module:function, on Python's path",
        ) from None
    function: Callable[[NetworkSpec], Answer] = found
    return function


def _failed(command: Sequence[str], reason: str) -> EfspecError:
    return fail(
        "failed-evaluator",
        f"`{' '.join(command)}` failed: {reason}",
        expected='a number from 0 to 1 on the last line, or {"accuracy": 0.75}',
        fix="mend it and go on with --resume: nothing is lost",
    )
