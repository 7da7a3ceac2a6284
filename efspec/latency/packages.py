"""Packages to measure parts with, where efspec does not run: what they are and how to use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from efspec.coreml.options import PackageOptions
from efspec.coreml.package import SUFFIX, Package, pack
from efspec.latency.probe import Harness, Kind, Probe, probe_plan
from efspec.latency.weights import deployed_with_weights

COPIES = (1, 5, 9)
"""Copies of a part in its packages; the one between shows whether latencies lie on a line."""
FORMAT = 1


class Entry(NamedTuple):
    """A package of a manifest.

    Attributes:
        file: Its name.
        key: Key of the part that it measures.
        copies: How many copies of it.
        kind: Whether they stand one after the other, or beside each other.
        harness: What it holds.
    """

    file: str
    key: str
    copies: int
    kind: Kind
    harness: Harness


def entries(probes: Iterable[Probe]) -> Iterator[Entry]:
    """The packages of parts; none for those that no single row of packages can measure."""
    for number, probe in enumerate(probe for probe in probes if measurable(probe)):
        ((_, harness),) = probe.terms
        word = re.sub(r"\W+", "_", probe.key.type)
        for copies in COPIES:
            file = f"{number:03d}_{word}_x{copies}{SUFFIX}"
            yield Entry(file, probe.key.text, copies, harness.kind, harness)


def measurable(probe: Probe) -> bool:
    """Whether a part's latency is that of one harness, and not what several differ by."""
    return len(probe.terms) == 1


def package(entry: Entry, options: PackageOptions) -> Package:
    """The package of an entry.

    Raises:
        EfspecError: When the options do not go with it.
    """
    plan, weights = deployed_with_weights(probe_plan(entry.harness, entry.copies))
    plan = plan.replaced(description=f"{entry.copies} of {entry.key}")
    return pack(plan, weights, options)


def manifest(device: str, written: Sequence[Entry]) -> str:
    """What says which package measures what, as JSON."""
    packages = [
        {"file": one.file, "key": one.key, "copies": one.copies, "kind": one.kind}
        for one in written
    ]
    whole = {"efspec": FORMAT, "device": device, "packages": packages}
    return json.dumps(whole, indent=2) + "\n"


def guide(device: str, written: Sequence[Entry], left_out: Sequence[str]) -> str:
    """A page that says how to measure with them, as Markdown."""
    few, *_, many = COPIES
    text = f"""\
# Measuring {device}

{len(written)} Core ML packages, {len(COPIES)} for each of {len(written) // len(COPIES)} parts of
networks: with {", ".join(map(str, COPIES))} copies of it. `manifest.json` says which is which. What
one copy more takes is the latency of the part, so that calling a network does not count.

## Measuring

1. Attach the device, unlock it, and let it cool. Take it off low-power mode.
2. Open a package in Xcode (double-click), and choose the tab *Performance*.
3. Press *+*, and choose the device and the compute units. Use the same units for all packages.
4. Press *Run Test*. Note the median of *Prediction* in milliseconds, not *Load* or *Compilation*.
5. Do so twice, in another order the second time: a warm device is slower. Where the two differ by
   more than 5 %, measure again.

## Bringing the numbers back

Write a line for each package into `times.csv`, beside `manifest.json`:

```
file,median_ms
{written[0].file if written else "000_FFN_x1.mlpackage"},0.31
```

Then this makes rows of them, into a table that is there or a new one:

```
efspec latency import times.csv -o {device}.yaml \\
  --device-name "iPhone 12" --os "iOS 16.1" --runtime "Core ML" --unit all --precision fp16
```

The latency of a part is (time of {many} copies - time of {few}) / {many - few}. The packages
between show whether it lies on a line.

## What they hold

The weights are random, and different in each copy: a compiler would merge equal ones. The results
of copies that stand beside each other are added, so each such part is measured with one addition.
"""
    if left_out:
        parts = "\n".join(f"- `{key}`" for key in left_out)
        text += f"""
## What they cannot measure

These only show in what stands beside them, or are several parts in one. A profile of a whole
network tells what they take.

{parts}
"""
    return text
