"""Types that other packages add, through the entry point `efspec.blocks`.

An entry point is called as its type is in a spec, and leads to the type's spec class. Packages are
searched when a spec says a type that is not known, and when all types are asked for. What is
shipped cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from efspec.blocks import BLOCKS, DOWNSAMPLES, STEMS
from efspec.blocks.options import BlockSpec, DownsampleSpec, StemSpec
from efspec.blocks.registry import Registry, type_name
from efspec.errors import Diagnostic
from efspec.record import Record

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP = "efspec.blocks"
_KINDS: dict[type, Registry[Any]] = {
    BlockSpec: BLOCKS,
    StemSpec: STEMS,
    DownsampleSpec: DOWNSAMPLES,
}


class Plugin(Record):
    """A type that a package offers.

    Attributes:
        name: What a spec calls it.
        package: Name and version of the package.
        target: Where its spec class is, as the package says.
        mistake: Why it cannot be used, if it cannot.
    """

    name: str
    package: str
    target: str
    mistake: Diagnostic | None = None


_added: dict[str, str] = {}
"""Target of each type that was added, by its name."""


def add_plugins(names: Iterable[str] | None = None) -> list[Plugin]:
    """Add the types of these names that packages offer, or all types; gives what was found.

    Whoever has built a model with the registries has to build it again when a type was added.
    """
    found = offers()
    wanted = found.names if names is None else found.names.intersection(names)
    return [plugin for name in sorted(wanted) for plugin in _add(name, found.select(name=name))]


def added() -> int:
    """How many types were added so far."""
    return len(_added)


@cache
def offers() -> EntryPoints:
    """The entry points of all installed packages, looked up once."""
    from importlib.metadata import entry_points  # slow to import, and rarely wanted

    return entry_points(group=GROUP)


def _add(name: str, points: EntryPoints) -> list[Plugin]:
    """Add the type of a name if one package offers it; gives what was found."""
    # A package may be listed twice, as when its folder is on the path, too.
    by_target = {(_package(point), point.value): point for point in points}
    plugins = [Plugin(name, package, target) for package, target in sorted(by_target)]
    if len(plugins) > 1:
        packages = " and ".join(plugin.package for plugin in plugins)
        return [_clashing(plugin, f"{packages} offer it") for plugin in plugins]
    for plugin in plugins:
        if _added.get(name) == plugin.target:
            return plugins
        if any(name in registry for registry in _KINDS.values()):
            return [_clashing(plugin, "efspec has a type of this name")]
        try:
            spec = by_target[plugin.package, plugin.target].load()
            registry = _registry(spec, name)
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            return [_broken(plugin, error)]
        registry.add(spec)
        _added[name] = plugin.target
    return plugins


def _registry(spec: Any, name: str) -> Registry[Any]:
    """Where a type belongs.

    Raises:
        TypeError: When it is none, or goes by another name.
    """
    bases = [base for base in _KINDS if isinstance(spec, type) and issubclass(spec, base)]
    if not bases:
        known = ", ".join(base.__name__ for base in _KINDS)
        raise TypeError(f"{spec!r} is no subclass of {known}")
    if type_name(spec) != name:
        raise TypeError(f"the default of its `type` is not {name!r}")
    return _KINDS[bases[0]]


def _clashing(plugin: Plugin, reason: str) -> Plugin:
    message = f"the type `{plugin.name}` of package {plugin.package} cannot be used: {reason}"
    expected = "a name that nobody else has given to a type"
    return plugin.replaced(
        mistake=Diagnostic(
            name="clashing-types", message=message, expected=expected, fix=_removal(plugin)
        )
    )


def _broken(plugin: Plugin, error: BaseException) -> Plugin:
    reason = f"{type(error).__name__}: {error}"
    message = f"the type `{plugin.name}` of package {plugin.package} cannot be used: {reason}"
    expected = f"the class of its specs at {plugin.target}"
    return plugin.replaced(
        mistake=Diagnostic(
            name="broken-plugin", message=message, expected=expected, fix=_removal(plugin)
        )
    )


def _removal(plugin: Plugin) -> str:
    name = plugin.package.partition(" ")[0]
    return f"upgrade {name}, or remove it: pip uninstall {name}"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "(unknown)"
