"""The options that ask for the time of each engine layer."""

from __future__ import annotations

from typing import Annotated

import typer

Profile = Annotated[bool, typer.Option("--profile", help="Time each layer of the engine.")]
ProfileRuns = Annotated[
    int, typer.Option("--profile-runs", help="Inferences, of whose times the median is shown.", min=1)
]
RUNS = 20
