"""A Core ML package from a spec, read back and proved, against tracing and converting the module.

Each side runs in a process of its own, which tells its time after imports and its peak memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median

ROUNDS = 7
MODEL = "v2_s1"
IMPORTS = """
import logging, sys, time, warnings
warnings.simplefilter("ignore")
logging.getLogger("coremltools").setLevel(logging.ERROR)
import coremltools as ct, torch, efspec
import coremltools.optimize.coreml
import efspec.cli.artefacts, efspec.coreml.package, efspec.verify, efspec.pytorch.build
torch.set_num_threads(1)
from pathlib import Path
folder, spec = Path(sys.argv[1]), efspec.load(sys.argv[2])
"""
BUILD = """
start = time.perf_counter()
efspec.export(spec, folder, targets=["coreml"])
print(time.perf_counter() - start)
"""
TRACE = """
start = time.perf_counter()
module = efspec.build(spec).eval()
image = torch.zeros(1, 3, 224, 224)
with torch.no_grad():
    traced = torch.jit.trace(module, image)
package = ct.convert(
    traced, inputs=[ct.TensorType("image", image.shape)], outputs=[ct.TensorType("logits")],
    minimum_deployment_target=ct.target.iOS16, skip_model_load=True,
)
package.save(str(folder / "traced.mlpackage"))
print(time.perf_counter() - start)
"""
AGREE = """
from efspec.verify import package_reference, read_package, verify
ours, theirs = (read_package(folder / f"{name}.mlpackage") for name in (spec.name, "traced"))
report = verify(ours, package_reference(theirs), images=1)
assert report.agrees, report
"""


def run(program: str, folder: str) -> tuple[float, int]:
    """Seconds that a program prints, and its peak memory in bytes."""
    read, write = os.pipe()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", IMPORTS + program, folder, MODEL],
        os.environ | {"TQDM_DISABLE": "1"},
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)],
    )
    os.close(write)
    _, status, usage = os.wait4(child, 0)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    assert status == 0, "a side failed"
    return float(told.split()[-1]), usage.ru_maxrss * 1024


def main() -> None:
    """Run, and print medians and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        run(BUILD, folder)
        run(TRACE, folder)
        check = [sys.executable, "-c", IMPORTS + AGREE, folder, MODEL]
        subprocess.run(check, check=True, env=os.environ | {"TQDM_DISABLE": "1"})
        rounds = [(run(BUILD, folder), run(TRACE, folder)) for _ in range(ROUNDS)]
    for name, side in (("efspec build -t coreml", 0), ("jit.trace and ct.convert", 1)):
        seconds, peaks = zip(*(one[side] for one in rounds), strict=True)
        print(f"{name:26} median {median(seconds):6.2f} s, {median(peaks) / 2**20:6.0f} MiB")
    print(f"time, efspec / traced      median {median(a[0] / b[0] for a, b in rounds):6.2f}")
    print(f"memory, efspec / traced    median {median(a[1] / b[1] for a, b in rounds):6.2f}")


if __name__ == "__main__":
    main()
