"""What is read out of pip's words. They are those of 23.2 and 26.3."""

from __future__ import annotations

import pytest

from trtdebug.plugins import pip_said

PAGE = "http://index/trtdebug-x/"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"Could not fetch URL {PAGE}: 404 Client Error: Not Found for url: {PAGE} - skipping", ""),
        (
            f"Could not fetch URL {PAGE}: connection error: HTTPConnectionPool(host='index', port=80): Max retries "
            "exceeded with url: /trtdebug-x/ (Caused by NewConnectionError('<pip._vendor.urllib3.connection."
            "HTTPConnection object at 0x7f93>: Failed to establish a new connection: [Errno 111] Connection "
            "refused')) - skipping",
            f"{PAGE}: [Errno 111] Connection refused",
        ),
        (
            f"Could not fetch URL {PAGE}: connection error: [Errno 111] Connection refused - skipping",
            f"{PAGE}: [Errno 111] Connection refused",
        ),
        (
            f"Could not fetch URL {PAGE}: HTTPConnectionPool(host='index', port=80): Max retries exceeded with url: "
            "/trtdebug-x/ (Caused by ResponseError('too many 500 error responses')) - skipping",
            f"{PAGE}: too many 500 error responses",
        ),
        (
            f"WARNING: Skipping page {PAGE} because the GET request got Content-Type: text/plain. The only ...",
            f"{PAGE}: the GET request got Content-Type: text/plain",
        ),
        (
            "WARNING: The repository located at index is not a trusted or secure host and is being ignored.",
            "index: is not a trusted or secure host",
        ),
    ],
)
def test_an_index_that_was_not_read(line: str, said: str) -> None:
    assert pip_said.unread(f"2026-01-01T00:00:00,000 {line}\n") == said


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement a==9 (from versions: 1, 2, 3, 4, 5, 6)",
            "pip finds no a==9, only ..., 2, 3, 4, 5, 6.",
        ),
        (
            "ERROR: Ignored the following versions that require a different python version: 2 Requires-Python >=3.14\n"
            "ERROR: Could not find a version that satisfies the requirement a (from versions: none)",
            "pip finds no a; left out, as they are for another Python: 2 Requires-Python >=3.14.",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement b>=3 (from a) (from versions: 1)",
            "a needs b>=3, and pip finds none, only 1.",
        ),
        (
            "ERROR: Package 'a' requires a different Python: 3.11.7 not in '>=3.14'",
            "pip failed: Package 'a' requires a different Python: 3.11.7 not in '>=3.14'",
        ),
        ("", "pip failed: no message"),
    ],
)
def test_why_it_failed(stderr: str, said: str) -> None:
    assert pip_said.failure(stderr, "", "pip install a").message == said


def test_requirements_that_exclude_each_other_are_named() -> None:
    error = pip_said.failure(
        "ERROR: Cannot install a and b because these package versions have conflicting dependencies.\n"
        "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/",
        "2026-01-01T00:00:00,000     a 1.0 depends on c<2\n2026-01-01T00:00:00,000     b 1.0 depends on c>=2\n",
        "pip install a b",
    )
    assert error.message.endswith("conflicting dependencies; a 1.0 depends on c<2; b 1.0 depends on c>=2")
    assert error.hint == "All that it says: pip install a b"
