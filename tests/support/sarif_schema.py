"""The JSON schema of SARIF 2.1.0: fetched by `make setup`, since it is not ours to carry.

python tests/support/sarif_schema.py    fetches it (140 kB)

An npm package has it, no package of Python's index does. Where npm is not at hand it comes from OASIS.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
MEMBER = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
COMMIT = "e0583813964ec43cea53b6b531b402866095ed1f"
URL = f"https://raw.githubusercontent.com/oasis-tcs/sarif-spec/{COMMIT}/sarif-2.1/schema/sarif-schema-2.1.0.json"
KNOWN = {
    "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8": PACKAGE,
    "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e": URL,
}
"""SHA-256 of the schema, and where it comes from."""
FILE = Path(sys.prefix) / "schemas" / "sarif-schema-2.1.0.json"


def sarif_schema() -> dict[str, Any]:
    """The schema (draft 4). Skips the test where it is not at hand."""
    if not FILE.is_file():
        pytest.skip("the schema of SARIF is not at hand (make setup fetches it)")
    content = FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() in KNOWN, f"{FILE} is not the schema that the tests know"
    schema: dict[str, Any] = json.loads(content)
    return schema


def from_npm() -> bytes:
    """Out of the npm package. Raises OSError where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, timeout=120
        )
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            raise OSError(f"npm does not fetch {PACKAGE}")
        with tarfile.open(fileobj=io.BytesIO(packed[0].read_bytes())) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            return member.read()


def from_oasis() -> bytes:
    """From its authors. Raises OSError where they cannot be reached."""
    with urllib.request.urlopen(URL, timeout=10) as answer:
        content: bytes = answer.read()
    return content


def fetch() -> None:
    """Fetches the schema where it is not here yet; ends the process with a word where it cannot be had."""
    if FILE.is_file():
        return
    sources: tuple[Callable[[], bytes], ...] = (from_npm, from_oasis)
    failures = []
    for source in sources:
        try:
            content = source()
        except (OSError, subprocess.TimeoutExpired) as error:
            failures.append(str(error))
            continue
        if hashlib.sha256(content).hexdigest() in KNOWN:
            FILE.parent.mkdir(parents=True, exist_ok=True)
            FILE.write_bytes(content)
            return
        failures.append(f"{source.__name__} gives another file than the tests know")
    sys.exit(f"The schema of SARIF cannot be fetched: {'; '.join(failures)}.")


if __name__ == "__main__":
    fetch()
