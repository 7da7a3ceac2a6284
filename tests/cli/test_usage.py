"""What every command shares: help, exit codes, and where things are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

COMMANDS = (
    "build",
    "score",
    "validate",
    "show",
    "diff",
    "generate",
    "import",
    "convert",
    "schema",
    "doctor",
)
OTHERS = ("diff", "import", "convert", "schema", "doctor")
OF_SPECS = [command for command in COMMANDS if command not in OTHERS]
ONE_AT_MOST = ("build", "show", "generate", "import", "schema", "doctor")
WRONG = "efspec: 1\nname: wrong\nstem: {type: conv_stem, widht: 8}\n"


def test_help_names_commands_and_exit_codes(run: Run) -> None:
    for option in ("-h", "--help"):
        result = run(option)
        assert (result.code, result.err) == (0, "")
        assert all(f"\n  {command} " in result.out for command in (*COMMANDS, "latency"))
        assert "Exit codes: 0 fine, 1 the input is wrong, 2 wrong usage, 3" in result.out
        assert "..." not in result.out.split("Commands:")[1]  # each line says all of it


def test_without_arguments_it_shows_help(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert "Commands:" in result.out + result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_help(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: efspec {command} [OPTIONS]")
    assert not any(odd in result.out for odd in ("[[", "......", "{SPEC...}"))


def test_version(run: Run) -> None:
    from importlib.metadata import version

    result = run("--version")
    assert (result.code, result.out, result.err) == (0, f"efspec {version('efspec')}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        *[[command, "v2_s0", "--nonsense"] for command in COMMANDS],
        *[[command] for command in OF_SPECS],
        *[[command, "v2_s0", "v2_s1"] for command in ONE_AT_MOST],
        *[[command, "v2_s0", "--input-format", "toml"] for command in OF_SPECS],
        ["build", "v2_s0", "-o", "-"],
        ["build", "v2_s0", "--new-head"],
        ["build", "v2_s0", "--from-size", "224"],
        ["build", "v2_s0", "-t", "code", "--weights", "v2_s0.pth"],
        ["build", "v2_s0", "--seed", "-1"],
        ["build", "v2_s0", "--seed", "x"],
        ["score", "v2_s0", "--by", "stages"],
        ["score", "v2_s0", "--sort", "size"],
        ["score", "v2_s0", "--format", "xml"],
        ["score", "v2_s0", "--json", "--format", "csv"],
        ["score", "v2_s0", "--by", "op", "--format", "csv"],
        ["score", "v2_s0", "-o", "table.txt"],
        ["score", "v2_s0", "--mes", "mes.yaml"],
        ["score", "v2_s0", "--sort", "mes"],
        *[["score", "v2_s0", "--latency-ms", ms] for ms in ("0", "-1", "nan", "inf", "fast")],
        ["score", "v2_s0", "v2_s1", "--latency-ms", "1"],
        ["score", "specs.jsonl", "--latency-ms", "1"],
        ["score", "-", "--input-format", "jsonl", "--latency-ms", "1"],
        ["score", "-", "-"],
        ["score", "v2_s0", "--plot", "plot.pdf"],
        ["score", "v2_s0", "--plot", "-"],
        ["score", "v2_s0", "--plot", "plot.svg", "--x", "latency"],
        ["score", "v2_s0", "--plot", "plot.svg", "--y", "mes"],
        ["score", "v2_s0", "--plot", "plot.svg", "--y", "colour"],
        ["score", "v2_s0", "--x", "macs"],
        ["score", "v2_s0", "--y", "macs"],
        ["validate", "-", "-"],
        ["show", "v2_s0", "--format", "xml"],
        ["show", "v2_s0", "-o", "tree.txt"],
        ["show", "v2_s0", "--format", "table", "-o", "table.txt"],
        ["diff"],
        ["diff", "v2_s0"],
        ["diff", "v2_s0", "v2_s1", "v2_s2"],
        ["diff", "-", "-"],
        ["generate", "v2_s0", "--check"],
        ["generate", "v2_s0", "--check", "-o", "-"],
        ["import"],
        ["import", "net.json", "--family", "v3"],
        ["import", "net.json", "--format", "xml"],
        ["convert"],
        ["convert", "v2_s0.pth"],
        ["convert", "v2_s0.pth", "--spec", "v2_s0", "--to", "timm"],
        ["convert", "v2_s0.pth", "--spec", "v2_s0", "-o", "out.pth"],
        ["convert", "v2_s0.pth", "--to", "timm", "-o", "out.pth"],
        ["convert", "v2_s0.pth", "--spec", "v2_s0", "--to", "timm", "-o", "-"],
        ["convert", "v2_s0.pth", "--spec", "v2_s0", "--to", "keras", "-o", "out.pth"],
        ["score", "v2_s0", "--device", "x", "--latency-ms", "1"],
        ["score", "v2_s0", "--strict"],
        ["score", "v2_s0", "--precision", "fp16"],
        ["score", "v2_s0", "--batch", "2"],
        ["score", "v2_s0", "--device", "x", "--batch", "0"],
        ["score", "v2_s0", "--device", "x", "--precision", "fp8"],
        ["score", "v2_s0", "--sort", "latency"],
        ["schema", "--check"],
        ["schema", "-o", "-"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Usage: efspec" in result.err
    assert "Error: " in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "diagnostic"),
    [
        *[([command, "nope"], "no-such-spec") for command in OF_SPECS],
        *[([command, "nope.yaml"], "no-such-spec") for command in OF_SPECS],
        *[([command, ""], "no-such-spec") for command in OF_SPECS],
        *[([command, "a" * 5000], "no-such-spec") for command in OF_SPECS],
        *[([command, "."], "unreadable-file") for command in OF_SPECS],
        *[([command, "wrong.yaml"], "unknown-field") for command in OF_SPECS],
        *[([command, "wrong.txt"], "unknown-format") for command in OF_SPECS],
        *[([command, "-"], "empty-file") for command in OF_SPECS],
        *[([command, "v2_s0", "--set", "name"], "bad-set") for command in OF_SPECS],
        *[([command, "v2_s0", "--set", "nope=1"], "unknown-field") for command in OF_SPECS],
        *[([command, "v2_s0", "--size", "x".join("ab")], "bad-size") for command in OF_SPECS],
        *[([command, "v2_s0", "--size", "256x"], "bad-size") for command in OF_SPECS],
        *[([command, "v2_s0", "--size", ""], "bad-size") for command in OF_SPECS],
        *[([command, "v2_s0", "--size", "31"], "out-of-range") for command in OF_SPECS],
        *[([command, "v2_s0", "--size", "99999"], "out-of-range") for command in OF_SPECS],
        (["build", "v2_s0", "-t", "cod"], "unknown-target"),
        (["build", "v2_s0", "-t", ""], "no-target"),
        (["build", "v2_s0", "-t", ","], "no-target"),
        (["build", "v2_s0", "-t", "code", "-o", "wrong.yaml"], "not-a-folder"),
        (["build", "v2_s0", "-t", "code", "-o", "wrong.yaml/x"], "cannot-access"),
        (["build", "v2_s0", "--weights", "nope.pth"], "no-such-checkpoint"),
        (["build", "v2_s0", "--weights", "wrong.yaml"], "unreadable-checkpoint"),
        (["build", "v2_s0", "--weights", "wrong.safetensors"], "unreadable-checkpoint"),
        (["build", "v2_s0", "--weights", "wrong.yaml", "--from-size", "x"], "bad-size"),
        (["build", "v2_s0", "--seed", str(2**64)], "bad-seed"),
        (["score", "v2_s0", "--latency-ms", "1", "--mes", "nope.yaml"], "unreadable-file"),
        (["score", "v2_s0", "--latency-ms", "1", "--mes", "wrong.yaml"], "unknown-field"),
        (["score", "v2_s0", "--device", "nope"], "no-such-device"),
        (["score", "v2_s0", "--device", "wrong.yaml"], "unknown-field"),
        (["score", "v2_s0", "--json", "-o", "nope/score.json"], "cannot-access"),
        (["score", "v2_s0", "--json", "-o", "."], "cannot-access"),
        (["show", "v2_s0", "--format", "svg", "-o", "nope/net.svg"], "cannot-access"),
        (["show", "v2_s0", "--format", "svg", "-o", "."], "cannot-access"),
        (["diff", "nope", "v2_s0"], "no-such-spec"),
        (["diff", "v2_s0", "wrong.yaml"], "unknown-field"),
        (["diff", "v2_s0", "v2_s1", "--set", "stages.9.width=3"], "bad-set"),
        (["diff", "v2_s0", "v2_s1", "--size", "31"], "out-of-range"),
        (["generate", "v2_s0", "-o", "nope/x.py"], "cannot-access"),
        (["generate", "v2_s0", "-o", "."], "cannot-access"),
        (["generate", "v2_s0", "-o", ".", "--check"], "cannot-access"),
        (["generate", "v2_s0", "--templates", "nope"], "no-such-folder"),
        (["generate", "v2_s0", "--templates", "wrong.yaml"], "no-such-folder"),
        (["import", "nope.json"], "unreadable-file"),
        (["import", "-"], "empty-file"),
        (["import", "wrong.yaml", "-o", "spec.yaml"], "unknown-field"),
        (["import", "wrong.txt", "--format", "timm"], "unknown-family"),
        (["schema", "nework"], "no-such-schema"),
        (["schema", "-o", "wrong.yaml"], "cannot-access"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else value,
)
def test_wrong_input_exits_1(
    run: Run, tmp_path: Path, arguments: list[str], diagnostic: str
) -> None:
    names = {"wrong.yaml", "wrong.txt", "wrong.safetensors"}
    for name in names:
        (tmp_path / name).write_text(WRONG)
    result = run(*arguments)
    assert (result.code, result.out) == (1, "")
    assert f"error[{diagnostic}]: " in result.err
    assert ".efspec-" not in result.err  # no user knows of temporary files
    assert {path.name for path in tmp_path.iterdir()} == names  # nothing is written


@pytest.mark.parametrize("command", OF_SPECS)
def test_specs_come_from_standard_input_too(run: Run, tiny: Path, command: str) -> None:
    options = ["-t", "code"] if command == "build" else []
    given = run(command, "tiny.yaml", *options)
    piped = run(command, "-", *options, stdin=tiny.read_text())
    assert given.code == piped.code == 0
    assert given.out == piped.out
    as_json = '{"extends": "tiny.yaml"}'
    assert run(command, "-", *options, "--input-format", "json", stdin=as_json).out == given.out


@pytest.mark.parametrize("command", ["build", "score", "show", "generate"])
def test_set_and_size_change_the_spec(run: Run, tiny: Path, command: str) -> None:
    options = ["-t", "code", "--json"] if command == "build" else []
    plain = run(command, "tiny.yaml", *options)
    changed = run(command, "tiny.yaml", *options, "--set", "stages.1.width=24", "--size", "64x32")
    assert plain.code == changed.code == 0
    assert plain.out != changed.out
    rewritten = tiny.read_text().replace("width: 16", "width: 24").replace("32}", "[64, 32]}")
    tiny.write_text(rewritten)
    assert run(command, "tiny.yaml", *options).out == changed.out
