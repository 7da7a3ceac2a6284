"""The network's own class: it makes the stages, and holds the layers of the head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from efspec.codegen.classes import Body, ClassSource, ClassWriter, forward_lines, kept_lines
from efspec.codegen.layout import Call, Source, Starred, lay_out
from efspec.plan import CallStep, Module, Plan, parametric

_RATES = "rates"


class NetworkWriter(ClassWriter):
    """Writes the classes of a network, its own last."""

    def __init__(self, plan: Plan, name: str, summary: str) -> None:
        super().__init__(plan.network, name)
        self._schedule: tuple[float, ...] = ()
        self._numbered = 0
        self.network = self._network(parametric(plan.network), name, summary)

    def _network(self, root: Module, name: str, summary: str) -> ClassSource:
        body = Body(root)
        forward = forward_lines(body)
        init: list[str] = []
        parameters: list[str] = []
        if "num_classes" in root.arguments:
            parameters.append(f"num_classes: int = {root.arguments['num_classes']}")
        schedule = self._linear_schedule(root) if "drop_path" in root.arguments else ""
        listed: list[Source] = []
        for step in root.steps:
            if not isinstance(step, CallStep):
                init += self.layer_lines(body, step)
            elif step.name.startswith("stages."):
                listed.append(self._stage(body, step.module))
            elif step.name == "stages":
                stages = self._chain(body, step.module)
                init += lay_out(replace(stages, spread=True), 2, "self.stages = ")
            else:
                init += lay_out(self.construct(body, step), 2, f"self.{step.name} = ")
            if listed and step is _last_listed(root):
                stages = Call("nn.Sequential", tuple(listed), spread=True)
                init += lay_out(stages, 2, "self.stages = ")
        if any(f"{_RATES}[" in line for line in init):
            init.insert(0, schedule)
            parameters.append(f"drop_path: float = {root.arguments['drop_path']}")
        outputs = len(root.outputs)
        returns = f"tuple[{', '.join(['Tensor'] * outputs)}]" if outputs > 1 else "Tensor"
        if any("if self.training" in line for line in forward):
            returns = "Tensor | tuple[Tensor, Tensor]"
            summary += "\n\nIn training it returns the logits of both heads instead of their mean."
        return ClassSource(
            name=name,
            summary=summary,
            parameters=tuple(parameters),
            annotations=(),
            init=tuple(kept_lines(body) + init),
            forward=tuple(forward),
            returns=returns,
        )

    def _linear_schedule(self, root: Module) -> str:
        """The line with rates that rise linearly over all blocks; resolution computes the same."""
        rate = float(root.arguments["drop_path"])
        count = sum(1 for _ in _numbered_blocks(root))
        self._schedule = tuple(rate * i / max(count - 1, 1) for i in range(count))
        return f"        {_RATES} = [drop_path * i / {max(count - 1, 1)} for i in range({count})]"

    def _stage(self, body: Body, stage: Module) -> Source:
        self.support.add("stage")
        positional: tuple[Source, ...] = ()
        keywords: tuple[tuple[str, Source], ...] = ()
        for step in stage.calls():
            if step.name == "downsample":
                self.support.add("downsample")
                keywords = (("downsample", self.construct(body, step)),)
            else:
                positional = self._chain(body, step.module).positional
        return Call("Stage", positional, keywords, spread=True)

    def _chain(self, body: Body, chain: Module) -> Call:
        """Children in a row: runs of equal ones are written as one comprehension."""
        items: list[tuple[Source, Source | None]] = []
        named = False
        for step in chain.calls():
            if step.module.block.inline:
                items.append((self._stage(body, step.module), None))
            elif step.name.isdecimal():
                items.append(self._rate_apart(self.construct(body, step)))
            else:
                named = True
                item = Call("", (f'"{step.name}"', self.construct(body, step)))
                items.append((item, None))
        if named:
            self.support.add("blocks")
        function = "Blocks" if named else "nn.Sequential"
        return Call(function, tuple(self._runs(items)))

    def _rate_apart(self, source: Source) -> tuple[Source, Source | None]:
        """A block's constructor without its drop-path rate, and the rate."""
        assert isinstance(source, Call)  # classes are called
        number, self._numbered = self._numbered, self._numbered + 1
        rate = dict(source.keywords).get("drop_path")
        if rate is None:
            return source, None
        keywords = tuple(k for k in source.keywords if k[0] != "drop_path")
        if self._schedule and rate == repr(self._schedule[number]):
            rate = f"{_RATES}[{number}]"
        return replace(source, keywords=keywords), rate

    def _runs(self, items: list[tuple[Source, Source | None]]) -> Iterator[Source]:
        for (block, has_rate), run in groupby(
            items, key=lambda item: (item[0], item[1] is not None)
        ):
            rates = [str(rate) for _, rate in run]
            if not has_rate:
                yield block if len(rates) == 1 else Starred(block, "_", f"range({len(rates)})")
                continue
            assert isinstance(block, Call)  # only classes have rates
            if len(set(rates)) == 1:
                one = replace(block, keywords=(*block.keywords, ("drop_path", rates[0])))
                yield one if len(rates) == 1 else Starred(one, "_", f"range({len(rates)})")
                continue
            each = replace(block, keywords=(*block.keywords, ("drop_path", "rate")))
            yield Starred(each, "rate", self._sequence(rates))

    def _sequence(self, rates: list[str]) -> Source:
        """Source of several rates: a slice of the schedule, or the numbers."""
        if all(rate.startswith(_RATES) for rate in rates):
            first, last = (int(r[len(_RATES) + 1 : -1]) for r in (rates[0], rates[-1]))
            stop = "" if last + 1 == len(self._schedule) else str(last + 1)
            return f"{_RATES}[{first or ''}:{stop}]"
        numbers = [
            repr(self._schedule[int(r[len(_RATES) + 1 : -1])]) if r.startswith(_RATES) else r
            for r in rates
        ]
        return Call("", tuple(numbers))


def _numbered_blocks(root: Module) -> Iterator[CallStep]:
    """The calls of the blocks of all stages."""
    for step in root.calls():
        if step.name == "blocks":
            yield from (child for child in step.module.calls() if child.name.isdecimal())
        elif step.module.block.inline:
            yield from _numbered_blocks(step.module)


def _last_listed(root: Module) -> CallStep:
    return [step for step in root.calls() if step.name.startswith("stages.")][-1]
