"""What a build log tells of tactics."""

from __future__ import annotations

from pathlib import Path

from trtdebug.cli.console import say, say_json


def show_tables(path: Path, as_json: bool) -> None:
    """Prints the autotuning tables of a verbose build log, or of a trial."""
    from trtdebug.stages.tactics.tables import recorded_tables

    tables = recorded_tables(path)
    if as_json:
        from trtdebug.core.jsonable import to_data

        say_json(to_data(tables))
        return
    from trtdebug.report.tactic_text import render_tables

    say(render_tables(tables))
