"""The live view of a session on a terminal: what is being done, how much is left, what the cache saved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trtdebug.cli.progress import Account, untestable

if TYPE_CHECKING:
    from trtdebug.core.outcome import Outcome
    from trtdebug.session.job import Job
    from trtdebug.stages.context import Progress

_BAR = 40  # columns


class LiveView:
    """A few lines on stderr that are drawn anew four times a second, until `stop`."""

    def __init__(self, colours: bool) -> None:
        self.account = Account()
        self.began = time.perf_counter()
        self.latest: Progress | None = None
        self.spinner = Spinner("dots")
        console = Console(stderr=True, no_color=not colours, highlight=False, markup=False)
        self.live = Live(
            console=console,
            get_renderable=self._render,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
        )

    def progress(self, progress: Progress) -> None:
        self.account.begin()
        self.latest = progress
        self.live.start()
        self.live.refresh()

    def trial(self, job: Job, outcome: Outcome, cached: bool) -> None:
        self.account.add(job, outcome, cached)
        if line := untestable(job, outcome):
            self.live.console.print(Text(line))

    def stop(self) -> None:
        """Takes it off the screen; the next progress shows it again."""
        self.live.stop()

    def _render(self) -> RenderableType:
        progress = self.latest
        if progress is None:
            return Text("")
        self.spinner.update(
            text=Text(f"{progress.stage}: {self._doing(progress)}", overflow="ellipsis", no_wrap=True)
        )
        lines: list[RenderableType] = [self.spinner]
        if progress.of:
            row = Table.grid(padding=(0, 1))
            row.add_row(
                Text(" "),
                ProgressBar(total=progress.of, completed=progress.of - progress.left, width=_BAR),
                Text(f"{progress.left} of {progress.of} left"),
            )
            lines.append(row)
        seconds = int(time.perf_counter() - self.began)
        told = [
            f"trial {self.account.trials + 1}",
            self.account.from_cache(),
            f"{seconds // 60}:{seconds % 60:02}",
        ]
        lines.append(Text("  " + " · ".join(part for part in told if part), style="dim"))
        return Group(*lines)

    def _doing(self, progress: Progress) -> str:
        return self.account.where(progress).removeprefix(f"{progress.stage}: ")
