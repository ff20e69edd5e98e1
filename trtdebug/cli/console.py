"""What the CLI prints: results to stdout, progress to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trtdebug.cli.terminal import has_colours, is_terminal, styled

if TYPE_CHECKING:
    from trtdebug.api.opening import Watch
    from trtdebug.cli.live import LiveView

_shown: list[LiveView] = []
"""The live view that is on the screen, if any."""


def say(text: str = "") -> None:
    """A line of result, on stdout."""
    _write(_harmless(text))


def say_report(text: str) -> None:
    """The report for people, in colours where there are some."""
    _write(styled(_harmless(text)) if has_colours(sys.stdout) else _harmless(text))


def _write(text: str) -> None:
    hush()
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def _harmless(text: str) -> str:
    """What a terminal would act on, as JSON escapes: a name can hold anything. A line may end as in CSV, by two."""
    if text.isprintable():
        return text
    return "\r\n".join("".join(map(_escaped, part)) for part in text.split("\r\n"))


def _escaped(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def say_json(data: Any) -> None:
    """A result for programs, on stdout."""
    say(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False))


def say_table(head: Sequence[str], rows: Sequence[Sequence[str]], plain: Iterable[str]) -> None:
    """A table on a terminal, by rich; what does not fit is folded, so nothing is lost. Else these plain lines.

    Args:
        plain: the same facts as lines.
    """
    if not is_terminal(sys.stdout):
        for line in plain:
            say(line)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from trtdebug.scripts.words import printable

    hush()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(file=sys.stdout, no_color=not has_colours(sys.stdout)).print(table)


@contextmanager
def watching(quiet: bool) -> Iterator[Watch | None]:
    """Who tells on stderr how a session goes on; None where nobody wants to know.

    On a terminal a view that is drawn anew, and gone as soon as there is something to say; else a line a trial.
    """
    if quiet:
        yield None
        return
    if not is_terminal(sys.stderr):
        from trtdebug.cli.progress import ProgressLines

        yield ProgressLines()
        return
    from trtdebug.cli.live import LiveView

    view = LiveView(colours=has_colours(sys.stderr))
    _shown.append(view)
    try:
        yield view
    finally:
        hush()
        _shown.remove(view)


def hush() -> None:
    """Takes the live view off the screen."""
    for view in _shown:
        view.stop()
