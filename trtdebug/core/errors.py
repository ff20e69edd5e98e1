"""Errors that a user may see. Each names the thing, what was expected and what to do."""

from __future__ import annotations

from trtdebug.core.build_error import BuildError


class TrtdebugError(Exception):
    """Base of all errors that trtdebug raises on purpose.

    Args:
        message: one line that names the thing and what was expected.
        hint: what the user can do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        told = self.message if not self.hint or self.message.endswith((".", ":")) else f"{self.message}."
        return f"{told} {self.hint}".strip()


class UserError(TrtdebugError):
    """Bad input or usage: one clear line, exit code 2."""


class BuildFailure(TrtdebugError):
    """A backend could not build the model. Becomes an outcome, never a traceback.

    Attributes:
        node: ONNX node that the builder or parser blames, or None when it names none.
        errors: everything that the parser or the builder said, the first thing first; empty where the backend
            tells no more than the message.
    """

    def __init__(
        self, message: str, hint: str = "", node: str | None = None, errors: tuple[BuildError, ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.node = node
        self.errors = errors


class NotHonoured(TrtdebugError):
    """The engine was built, but an intervention did not take effect in it (read back from the engine)."""
