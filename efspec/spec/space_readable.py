"""What of a wrong search space can be read, and the mistakes that its right parts make together."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from efspec.blocks.options import Items
from efspec.spec.readable import IfRight
from efspec.spec.schema import FORMAT, MAX_STAGES, Defaults
from efspec.spec.source_map import Mistake
from efspec.spec.space import OpenStem, StageSpace
from efspec.spec.space_conflicts import conflicts


class _Space(BaseModel):
    """A space, as far as it can be read."""

    model_config = ConfigDict(strict=True, extra="ignore")

    efspec: IfRight[int] = None
    defaults: IfRight[Defaults] = Defaults.model_construct()
    stem: IfRight[OpenStem] = None
    stages: IfRight[Annotated[Items[IfRight[StageSpace]], Field(max_length=MAX_STAGES)]] = None


def rebuild() -> None:
    """Read types that were added since, too."""
    _Space.model_rebuild(force=True)


def further_mistakes(data: object) -> list[Mistake]:
    """The mistakes of a wrong space that none of its parts makes by itself.

    Args:
        data: The space as plain values.
    """
    if not isinstance(data, dict):
        return []
    space = _Space.model_validate(data)
    if space.efspec not in (FORMAT, None):  # in another format, nothing that seems wrong has to be
        return []
    return conflicts(space.defaults, space.stem, space.stages or ())
