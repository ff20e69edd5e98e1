"""The options --atol, --rtol and --rms."""

from __future__ import annotations

from typing import Optional

import typer

from trtdebug.core.errors import UserError

METAVAR = "[NAME:]VALUE"


def checked(values: Optional[list[str]]) -> Optional[list[str]]:  # noqa: UP045 - typer evaluates this
    """Callback of such an option: raises typer.BadParameter for what is no tolerance."""
    from trtdebug.api.tolerances import named_values

    try:
        named_values(values or ())
    except UserError as error:
        raise typer.BadParameter(error.message) from None
    return values
