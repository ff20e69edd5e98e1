"""How far a session came."""

from __future__ import annotations

import pytest

from trtdebug.session.ended import Ended, State, ended


@pytest.mark.parametrize(
    ("events", "state", "verdict"),
    [
        ((), "unfinished", None),
        (("opened",), "unfinished", None),
        (("opened", "finished"), "finished", "matches"),
        (("opened", "finished", "opened"), "unfinished", "matches"),
        (("opened", "finished", "skipped"), "finished", "matches"),
    ],
)
def test_finished_is_what_the_last_command_ended(
    events: tuple[str, ...], state: State, verdict: str | None
) -> None:
    assert ended({"event": event, "verdict": "matches"} for event in events) == Ended(state, verdict)


def test_the_verdict_is_that_of_the_last_command() -> None:
    verdicts = ("diverges", "matches")
    assert ended({"event": "finished", "verdict": v} for v in verdicts).verdict == "matches"
