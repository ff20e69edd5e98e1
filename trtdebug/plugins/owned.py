"""What an extension's object does in this process: within bounds, and with its owner's name where it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from trtdebug.core.errors import TrtdebugError, UserError
from trtdebug.plugins.discovery import Plugin
from trtdebug.plugins.record import Record

T = TypeVar("T")


class Broken(UserError):
    """An extension's object went wrong; it was reported."""


@dataclass(frozen=True)
class Owned:
    """An object of a third party.

    Attributes:
        record: where it is reported.
        what: the object, "executor ssh".
        hint: what a user can do without it.
    """

    record: Record
    owner: Plugin
    what: str
    hint: str = ""

    def call(self, part: str, work: Callable[[], T], limit: float | None = None) -> T:
        """What `work`, which calls this part of the object, gives. Our own errors pass.

        Raises:
            Broken: anything else went wrong, or it took longer than `limit` (see `Record.guard`).
        """
        with self.record.guard(self.owner, f"{self.what}: {part}", allow=(TrtdebugError,), limit=limit):
            return work()
        why = self.record.failure(self.owner)
        raise Broken(f"the {self.what} of {self.owner} failed in {part}: {why}.", self.hint)
