"""Commands that take arguments of their own, and have others inside: `bulkup manifest` and `bulkup manifest merge`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bulkup.cli.quick_parameters import QuickCommand


class CommandWithInner(QuickCommand):
    """A command whose first argument may be the name of another one, which then runs in its place.

    A file or directory of that name is given as `./merge`.
    """

    inner: ClassVar[Mapping[str, Any]] = {}

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of this command, or of the inner one that the first argument names."""
        if args and args[0] in self.inner:
            name, *rest = args
            return self.inner[name].make_context(f"{info_name} {name}", rest, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)
