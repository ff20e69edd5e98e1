"""The official JSON schema of SARIF 2.1.0: fetched by `make setup`, since it is not ours to carry.

python tests/support/sarif_schema.py    fetches it (110 kB)
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

COMMIT = "e0583813964ec43cea53b6b531b402866095ed1f"
URL = f"https://raw.githubusercontent.com/oasis-tcs/sarif-spec/{COMMIT}/sarif-2.1/schema/sarif-schema-2.1.0.json"
SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
FILE = Path(sys.prefix) / "schemas" / "sarif-schema-2.1.0.json"


def sarif_schema() -> dict[str, Any]:
    """The schema (draft 4). Skips the test where it is not at hand: it comes from no package index."""
    if not FILE.is_file():
        pytest.skip("the schema of SARIF is not at hand (make setup fetches it)")
    content = FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256, f"{FILE} is not the official schema"
    schema: dict[str, Any] = json.loads(content)
    return schema


def fetch() -> None:
    if FILE.is_file():
        return
    with urllib.request.urlopen(URL, timeout=10) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{URL} is not the schema that the tests know.")
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(content)


if __name__ == "__main__":
    try:
        fetch()
    except OSError as error:
        sys.exit(f"{URL} cannot be fetched: {error}.")
