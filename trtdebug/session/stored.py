"""What a session keeps in JSON, read back; what is damaged is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import fault, loads

T = TypeVar("T")


def read_stored(path: Path, kind: type[T], remedy: str) -> T:
    """The content of a file. Raises `UserError` as `naming` does, with its path."""
    with naming(str(path), remedy):
        return loads(path.read_text(encoding="utf-8"), kind)


@contextmanager
def naming(what: str, remedy: str) -> Iterator[None]:
    """Reading `what`, and nothing else: what goes wrong becomes a `UserError` that names it and tells the `remedy`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what} cannot be read: {error.strerror or error}.", remedy) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{what} cannot be read: {error}.", remedy) from error
    except Exception as error:  # whatever cattrs finds wrong with it
        raise UserError(f"{what} is damaged: {fault(error)}.", remedy) from error
