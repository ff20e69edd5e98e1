"""On a GPU: where the seconds of a session's slowest build go, by the silences between TensorRT's messages.

    python bench/gpu/silences.py SESSION [--knob preview_features=-FASTER_DYNAMIC_SHAPES_0805] [--most 12]

The trial is built again in this process, as the search did it, without a timing cache. The session stays as it is.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import logger
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.core.intervention import Knob
from trtdebug.session.job import Job
from trtdebug.session.perform import build_request
from trtdebug.session.session import Session
from trtdebug.session.trials import stored_trials

_WIDTH = 110


@dataclass(frozen=True)
class Said:
    """A message of TensorRT and when it came, in seconds of `time.perf_counter`."""

    at: float
    message: str


heard: list[Said] = []


class TimedSink(logger.LogSink):
    """Hears everything that TensorRT says."""

    def __init__(self) -> None:
        super().__init__()
        self.listener = lambda message: heard.append(Said(time.perf_counter(), message))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("session", type=Path)
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--most", type=int, default=12, help="silences to tell")
    asked = parser.parse_args()
    session = Session(asked.session)
    trials = [t for t in stored_trials(session) if t.job.role == "candidate"]
    slowest = max(trials, key=lambda t: t.outcome.build_seconds)
    print(f"{slowest.job.purpose}: {slowest.outcome.build_seconds:.1f} s in the session")
    backend = TensorrtBackend()
    started = time.perf_counter()
    backend.warm_up()
    print(f"TensorRT starts: {time.perf_counter() - started:.2f} s")
    knobs = tuple(Knob(*word.split("=", 1)) for word in asked.knob)
    logger.LogSink = TimedSink  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            heard.clear()
            started = time.perf_counter()
            backend.build(_request(slowest.job, session, Path(folder), knobs)).close()
            ended = time.perf_counter()
            print(f"build {number}: {ended - started:.2f} s, {len(heard)} messages")
            _tell(started, ended, asked.most)


def _request(job: Job, session: Session, folder: Path, knobs: tuple[Knob, ...]) -> BuildRequest:
    asked = build_request(job, session.tensors, folder, {})
    interventions = (*asked.interventions, *knobs)
    return replace(asked, interventions=interventions, timing_cache=None, artifacts=None, engine_file=None)


def _tell(started: float, ended: float, most: int) -> None:
    """The longest silences, in the order in which they came, each with what was said before and after it."""
    said = [Said(started, "(begins)"), *heard, Said(ended, "(ends)")]
    pairs = sorted(itertools.pairwise(said), key=lambda pair: pair[0].at - pair[1].at)[:most]
    for before, after in sorted(pairs, key=lambda pair: pair[0].at):
        print(f"  {before.at - started:6.2f} s: {after.at - before.at:5.2f} s of silence")
        for word, one in (("after", before), ("before", after)):
            print(f"      {word:6} {' '.join(one.message.split())[:_WIDTH]}")


if __name__ == "__main__":
    main()
