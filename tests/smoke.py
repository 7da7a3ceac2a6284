"""Every command once, of the efspec that is installed for this Python, in the working directory.

Run where efspec was installed from a wheel: `python smoke.py`. It imports nothing else, so that it
works without the checkout and the packages of the tests. `python smoke.py train` runs one command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import efspec
from efspec.cli.main import COMMANDS

SPEC = "v2_s0"
WEIGHTS = "built/v2_s0.safetensors"
DIGITS = [
    *("--data", "digits", "--size", "32"),
    *("--set", "head.classes=10", "--set", "input.channels=1"),
]
EXTRAS = {"train": "timm"}
"""Commands that need an extra of their name, and a package of it; without, they name it."""
RUNS = {
    "build": ["build", SPEC, "-o", "built"],
    "score": ["score", SPEC, "v1_l1", "--json"],
    "validate": ["validate", SPEC],
    "show": ["show", SPEC, "--format", "svg", "-o", "shown.svg"],
    "diff": ["diff", SPEC, "v2_s1", "--json"],
    "lint": ["lint", SPEC, "--device", "iphone12", "--json"],
    "generate": ["generate", SPEC, "-o", "built/v2_s0.py", "--check"],
    "import": ["import", "candidate.json"],
    "convert": ["convert", WEIGHTS, "--spec", SPEC, "--to", "official", "-o", "converted.pth"],
    "verify": ["verify", "built/v2_s0.mlpackage", "--weights", WEIGHTS],
    "latency": ["latency", "list", SPEC, "--json"],
    "search": ["search", "space", "digits", "--json"],
    "train": ["train", SPEC, *DIGITS, "--recipe", "small", "--epochs", "1", "-o", "run"],
    "schema": ["schema", "-o", "schemas"],
    "doctor": ["doctor", "--json"],
}  # fmt: skip
ALONE = """
import sys
import torch
from safetensors.torch import load_file
sys.path.insert(0, "built")
import v2_s0
module = v2_s0.V2S0().eval()
module.load_state_dict(load_file("built/v2_s0.safetensors"))
assert module(torch.randn(1, 3, 224, 224)).shape == (1, 1000)
assert "efspec" not in sys.modules
"""


def run(*command: str) -> str:
    """What a command prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def lacks(extra: str, *command: str) -> None:
    """Expect a command to say which extra it needs."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 1 or f"pip install 'efspec[{extra}]'" not in result.stderr:
        sys.exit(f"{' '.join(command)} should name its extra:\n{result.stdout}{result.stderr}")
    print(f"efspec {extra}: names what it lacks")


def main() -> None:
    """Run all commands, and the code that was built."""
    outside = not Path(efspec.__file__).is_relative_to(Path(__file__).parents[1])
    assert outside, "this is the checkout's efspec: install the wheel"
    assert set(RUNS) == set(COMMANDS), "there is no run for every command"
    Path("candidate.json").write_text(
        json.dumps({"spec": json.loads(efspec.dump(efspec.load(SPEC), format="json"))})
    )
    program = str(Path(sys.executable).parent / f"efspec{'.exe' if os.name == 'nt' else ''}")
    wanted = sys.argv[1:]
    for name in wanted or RUNS:
        arguments = RUNS[name]
        if not wanted and name in EXTRAS and find_spec(EXTRAS[name]) is None:
            lacks(name, program, *arguments)
            continue
        run(program, *arguments)
        print(f"efspec {name}: fine")
    if wanted:
        return
    run(sys.executable, "-P", "-c", ALONE)
    print("the code that was built works without efspec")


if __name__ == "__main__":
    main()
