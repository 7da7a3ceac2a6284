"""The tensors of a supernet: their initial values, their place in a module, and slices of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from efspec.pytorch.build import build_module
from efspec.supernet.layout import (
    Layout,
    Site,
    full_slots,
    subnet,
    whole,
    with_every_choice,
)


def initial_tensors(layout: Layout, seed: int) -> dict[str, Tensor]:
    """All tensors of a supernet by name, those that are trained as parameters.

    Weights are what the build's initialiser draws for the network of all slots, and batch norms
    start as identities.

    Raises:
        EfspecError: When the seed is out of range, or there are too many parameters.
    """
    found: dict[str, Tensor] = {}
    # The norm of a head behind attention may be another than behind blocks without.
    bare = layout.space.stages[-1].attention_depth[0] == 0
    for attention in (False, True) if any(layout.apart) else (True,):
        candidate = whole(layout.space, attention)
        one = subnet(layout, candidate, full_slots(candidate))
        state = build_module(one.plan, seed).state_dict()
        for site in one.sites if attention or bare else one.in_slots():
            own = {name: state[site.prefix + name] for name in (*site.parameters, *site.buffers)}
            found |= _kept(site.home, own, site.parameters)
        for other in with_every_choice(layout.space, attention) if layout.separate else ():
            one = subnet(layout, other, full_slots(other))
            found |= _fresh_norms(one.sites if attention or bare else one.in_slots(), found)
    return found


def _fresh_norms(sites: Iterable[Site], known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The batch norms that are not known, as PyTorch makes them."""
    found: dict[str, Tensor] = {}
    for site in sites:
        if site.buffers and f"{site.home}.weight" not in known:
            (channels,) = site.parameters["weight"]
            norm = nn.BatchNorm2d(channels)
            found |= _kept(site.home, norm.state_dict(), site.parameters)
    return found


def _kept(home: str, own: Mapping[str, Tensor], trained: Mapping[str, object]) -> dict[str, Tensor]:
    return {
        f"{home}.{name}": nn.Parameter(tensor) if name in trained else tensor
        for name, tensor in own.items()
    }


def grow(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Put a tensor into a module under a dotted name, with modules on the way to it."""
    *path, last = name.split(".")
    for step in path:
        child = dict(module.named_children()).get(step)
        if child is None:
            child = nn.Module()
            module.add_module(step, child)
        module = child
    if isinstance(tensor, nn.Parameter):
        module.register_parameter(last, tensor)
    else:
        module.register_buffer(last, tensor)


def leading(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The leading part of a tensor along each axis, which shares its memory."""
    for axis, (own, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if own != wanted:
            tensor = tensor.narrow(axis, 0, wanted)
    return tensor
