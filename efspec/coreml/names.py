"""Names of ops in a package: an op's id as an identifier, and the table back."""

from __future__ import annotations

import re


class Names:
    """The names that are given to the ops of a package.

    Args:
        reserved: Names that no op may take.

    Attributes:
        ids: Id of the plan's op by name; empty for what is no op of the plan.
    """

    def __init__(self, *reserved: str) -> None:
        self.ids: dict[str, str] = {}
        self._taken = set(reserved)

    def of(self, identifier: str, word: str = "") -> str:
        """A name for an op that nothing else has.

        Args:
            identifier: Id of the plan's op.
            word: What the op is, where the plan's op takes several.
        """
        return self._add(f"{identifier}/{word}" if word else identifier, identifier)

    def beside(self, word: str) -> str:
        """A name for an op that is none of the plan's."""
        return self._add(word, "")

    def output(self, name: str, identifier: str) -> str:
        """The name of an output, which is reserved; its op is called so, too."""
        self.ids[name] = identifier
        return name

    def constant(self, key: str) -> str:
        """A name for a tensor, a cast, or what else computes nothing; it is not in the table."""
        return self._unique(key)

    def _add(self, text: str, identifier: str) -> str:
        name = self._unique(text)
        self.ids[name] = identifier
        return name

    def _unique(self, text: str) -> str:
        base = re.sub(r"\W", "_", text, flags=re.ASCII)
        if not re.match("[A-Za-z_]", base):
            base = f"_{base}"
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
