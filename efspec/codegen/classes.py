"""From modules to classes: one class for each block type and variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from efspec.codegen.expressions import ATOM, Text, application, attention_bias, constructor
from efspec.codegen.layout import LINE_LENGTH, Call, Source, lay_out
from efspec.codegen.naming import Key, class_names, key_of
from efspec.plan import CallStep, Module, OpStep, Value, parametric, size
from efspec.plan.ops import (
    AttentionBias,
    AverageHeads,
    Conv2d,
    DropPath,
    Layer,
    LayerScale,
    Linear,
    ScoreBias,
)
from efspec.plan.size import Expr


@dataclass(frozen=True)
class ClassSource:
    """A class, ready for a template.

    Attributes:
        name: Its name.
        summary: Its docstring.
        parameters: The constructor's parameters, such as `kernel_size: int = 1`.
        annotations: Declarations in the class body.
        init: Lines of the constructor, after `super().__init__()`.
        forward: Lines of `forward`.
        returns: What `forward` returns, as an annotation.
    """

    name: str
    summary: str
    parameters: tuple[str, ...]
    annotations: tuple[str, ...]
    init: tuple[str, ...]
    forward: tuple[str, ...]
    returns: str


class Body:
    """A class that is being written: it collects what its constructor needs (a `Scope`)."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.used: set[str] = set()
        self.kept: dict[str, str] = {}
        self._known: dict[Expr, str] = {}

    def write(self, value: int | float | tuple[int, ...]) -> str:
        """See `Scope.write`."""
        if isinstance(value, tuple):
            return f"({', '.join(map(self.write, value))})"
        expr = size.expression(value)
        self.used |= size.names(expr)
        return size.text(expr, self._known)

    def keep(self, name: str, value: int) -> str:
        """See `Scope.keep`."""
        expr = size.expression(value)
        if not size.names(expr):
            return size.text(expr)
        if isinstance(expr, str):
            return self._keep(expr, self.write(value))
        if expr not in self._known:
            self._known[expr] = self._keep(name, self.write(value))
        return self._known[expr]

    def keep_power(self, base: int, exponent: float) -> str:
        """See `Scope.keep_power`."""
        self.write(base)
        source = size.text(size.expression(base), self._known, outer=size.TIGHTEST)
        return self._keep("scale", f"{source}**{exponent}")

    def _keep(self, name: str, source: str) -> str:
        unique, number = name, 1
        while self.kept.get(unique, source) != source:
            number += 1
            unique = f"{name}{number}"
        self.kept[unique] = source
        return f"self.{unique}"


class ClassWriter:
    """Writes the classes of a module tree, children first, and notes the support they need."""

    def __init__(self, root: Module, root_name: str) -> None:
        modules = list(_classes(root))
        self.classes: dict[Key, ClassSource] = {}
        self.support: set[str] = set()
        self._names = class_names(modules, root, root_name)
        self._parameters: dict[Key, list[str]] = {}
        for module in modules:
            self._add(module)

    def construct(self, body: Body, step: CallStep) -> Source:
        """The expression that makes a child module."""
        child = step.module
        positional: list[Source] = []
        keywords: list[tuple[str, Source]] = []
        defaults = child.block.defaults()
        for i, name in enumerate(self._parameters[key_of(child)]):
            value = step.arguments[name]
            if name in defaults and size.expression(value) == defaults[name]:
                continue
            written = body.write(value)
            if name in ("dim", "height", "width") or (i == 1 and name not in defaults):
                positional.append(written)
            else:
                keywords.append((name, written))
        return Call(self._names[key_of(child)], tuple(positional), tuple(keywords))

    def _add(self, module: Module) -> None:
        key = key_of(module)
        body = Body(parametric(module))
        forward = forward_lines(body)
        init = self._init_lines(body)
        defaults = module.block.defaults()
        parameters = [name for name in module.arguments if name in body.used]
        parameters.sort(key=lambda name: name in defaults)
        self._parameters.setdefault(key, parameters)
        source = ClassSource(
            name=self._names[key],
            summary=module.block.summary(),
            parameters=tuple(_parameter(module, name) for name in parameters),
            annotations=_annotations(module),
            init=tuple(init),
            forward=tuple(forward),
            returns="Tensor",
        )
        first = self.classes.setdefault(key, source)
        if first != source:
            raise AssertionError(f"a number leaked into class {source.name}: {first} != {source}")

    def _init_lines(self, body: Body) -> list[str]:
        lines = []
        for step in body.module.steps:
            if isinstance(step, CallStep):
                lines += lay_out(self.construct(body, step), 2, f"self.{step.name} = ")
            else:
                lines += self.layer_lines(body, step)
        return kept_lines(body) + lines

    def layer_lines(self, body: Body, step: OpStep) -> list[str]:
        """Lines of the constructor that an op needs, if any."""
        op = step.op
        self.support |= support_of(op)
        if isinstance(op, AttentionBias | ScoreBias):
            statements = attention_bias(op, body)
            return [line for prefix, source in statements for line in lay_out(source, 2, prefix)]
        if not isinstance(op, Layer) or step.index:
            return []
        return lay_out(constructor(op, body), 2, f"self.{step.name} = ")


def kept_lines(body: Body) -> list[str]:
    """Lines of the constructor that keep what `forward` needs."""
    return [f"        self.{name} = {source}" for name, source in body.kept.items()]


def _annotations(module: Module) -> tuple[str, ...]:
    """Declarations that a type checker needs: buffers are tensors."""
    ops = (step.op for step in module.steps if isinstance(step, OpStep))
    return (
        ("attention_bias_idxs: Tensor",) if any(isinstance(o, AttentionBias) for o in ops) else ()
    )


def support_of(op: object) -> set[str]:
    """Names of the support classes and functions that the source of an op calls."""
    match op:
        case DropPath():
            return {"drop_path"}
        case LayerScale(spatial=spatial):
            return {"layer_scale_2d" if spatial else "layer_scale"}
        case AttentionBias():
            return {"relative_offsets"}
        case ScoreBias():
            return {"score_bias"}
        case Conv2d(init="trunc_normal") | Linear(init="trunc_normal"):
            return {"trunc_normal"}
        case _:
            return set()


def forward_lines(body: Body) -> list[str]:
    """Lines of `forward`.

    A result with a variable of its own, or used more than once, is assigned; any other is written
    where it is used.
    """
    module = body.module
    uses = Counter(v for step in module.steps for v in step.inputs)
    uses.update(module.outputs)
    texts: dict[Value, Text] = {v: (v.var, ATOM) for v in module.inputs}
    reads: dict[Value, set[str]] = {v: {v.var} for v in module.inputs}
    lines: list[str] = []

    def assign(values: tuple[Value, ...], source: str) -> None:
        targets = [v.var or "x" for v in values]
        for value, mentioned in reads.items():
            if uses[value] > 0 and value not in values and mentioned & set(targets):
                raise AssertionError(
                    f"{type(module.block).__name__}: assigning {targets} hides a value that is "
                    f"still needed, {texts[value][0]}; give it a var"
                )
        lines.append(f"{', '.join(targets)} = {source}")
        for value, target in zip(values, targets, strict=True):
            texts[value], reads[value] = (target, ATOM), {target}

    for step in module.steps:
        inputs = [texts[v] for v in step.inputs]
        uses.subtract(step.inputs)
        if isinstance(step, CallStep):
            name, _, index = step.name.partition(".")
            callee = f"self.{name}[{index}]" if index else f"self.{name}"
            text = f"{callee}({inputs[0][0]})", ATOM
        else:
            text = application(step.op, step.name, inputs, body)
            if isinstance(step.op, AverageHeads):
                both = ", ".join(source for source, _ in inputs)
                lines += ["if self.training:", f"    return {both}"]
        first = step.outputs[0]
        kept = len(step.outputs) > 1 or first.var or uses[first] > 1
        if kept and step.outputs != module.outputs:
            assign(step.outputs, text[0])
            continue
        (output,) = step.outputs
        texts[output] = text
        reads[output] = set().union(*(reads[v] for v in step.inputs))
    results = tuple(texts[v][0] for v in module.outputs)
    lines = [f"        {line}" for line in lines]
    returned = f"        return {', '.join(results)}"
    if len(results) > 1 and len(returned) > LINE_LENGTH:
        return lines + lay_out(Call("", results, spread=True), 2, "return ")
    return [*lines, returned]


def _classes(module: Module) -> Iterator[Module]:
    """The modules below one that become classes, children first; each object once."""
    seen: set[Module] = set()

    def visit(module: Module) -> Iterator[Module]:
        if module in seen:
            return
        seen.add(module)
        for step in module.calls():
            yield from visit(step.module)
        if not module.block.inline:
            yield module

    return visit(module)


def _parameter(module: Module, name: str) -> str:
    kind = "float" if isinstance(module.arguments[name], float) else "int"
    default = module.block.defaults().get(name)
    return f"{name}: {kind}" + ("" if default is None else f" = {default!r}")
