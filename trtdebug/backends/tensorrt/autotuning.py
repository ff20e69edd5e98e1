"""The autotuning tables of TensorRT's verbose build log: which tactics an op could have, and what each costs.

No API lists them. Two forms are read, in one log or apart, with or without time stamps:

* Myelin's tables (10 and 11): "Autotuning op <name>(key: 0x..): [ONNX Layer: ..]", "tactic_id, cost(in ms), ...", a row
  a tactic, "The selected tactic is (tactic hash, cost(in ms)):0x.., 0.01". The key is there where the timing cache is
  editable; elsewhere the lines start with "(foreignNode)", and nothing tells the choice.
* Runners (8.6 to 11): "Autotuning format combination: .. [{key: 0x..}]", "Timing Runner: <layer> (<Runner>[0x..])",
  "Tactic Name: <kernel> Tactic: 0x.. Time: ..", "Chose Runner Type: <Runner> Tactic: 0x..".

What is missing, cut off or mixed up is told as unknown; no text is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, AutotuningLog, Candidate, cost_of, normalised
from trtdebug.backends.tensorrt.autotuning_table import Table, read_row
from trtdebug.backends.tensorrt.layers import metadata_nodes

# Time stamp, severity and source, as trtexec, Polygraphy and we write them; then Myelin's own mark.
_PREFIX = re.compile(r"(?:\[[^][]*\]\s*)*(?:\(foreignNode\)\s*)?")
_KEY = r"(?P<key>0x[0-9a-fA-F]{32}|None)"
_OP = re.compile(rf"Autotuning op (?P<name>.+?)(?:\(key: {_KEY}\))?(?::\s*(?P<nodes>\[ONNX Layer: .*)?)?$")
_ANNOUNCED = re.compile(r"Sorted table of all evaluated tactics")
_HEADER = re.compile(r"tactic_id\b.*\btactic_hash\b")
_ROW = re.compile(r"\d+\s*,")
_SELECTED = re.compile(r"The selected tactic is \(.*?\)\s*:\s*(?P<tactic>0x[0-9a-fA-F]{1,16})\s*,")

_FORMATS = re.compile(
    rf"\*+ Autotuning (?P<what>format combination|Reformat): (?P<formats>.*?)(?: \{{key: {_KEY}\}})?\s*\**$"
)
_RUNNER = re.compile(
    r"-+ Timing Runner: (?P<name>.+) \((?P<runner>\w+)(?:\[(?P<implementation>0x[0-9a-fA-F]+)\])?\)$"
)
_TIMED = re.compile(
    r"(?:Tactic Name: (?P<kernel>.*) )?Tactic: (?P<tactic>0x[0-9a-fA-F]{1,16}) Time: (?P<cost>[^\s,]+)$"
)
_FASTEST = re.compile(
    r".+ \((?P<runner>\w+)(?:\[0x[0-9a-fA-F]+\])?\) profiling completed in .*? "
    r"Fastest Tactic: (?P<tactic>0x[0-9a-fA-F]{1,16}) Time: \S+$"
)
_NONE = re.compile(r"\w+ has no valid tactics for this config, skipping$")
_CHOSE = re.compile(r">+ Chose Runner Type: (?P<runner>\w+) Tactic: (?P<tactic>0x[0-9a-fA-F]{1,16})$")
_CACHED = re.compile(
    r"(?P<name>.+) \[(?P<formats>[^][]+ -> [^][]+)\] got cached result: (?P<runner>\w+), "
    r"tactic (?P<tactic>0x[0-9a-fA-F]{1,16}), (?P<cost>\S+) ms$"
)

_COLUMNS = {"tactic_id": 0, "cost(in ms)": 1, "cost/fastest_cost": 2, "kernel_name": 4, "tactic_hash": 5}
_OPEN_TABLES = 8
_KEPT_UNREAD = 20


def parse_log(text: str) -> AutotuningLog:
    """Reads a verbose build log, whole or in part. Never raises."""
    reader = AutotuningReader()
    reader.read(text)
    return reader.result()


class AutotuningReader:
    """Reads the messages of a build as they come, from several threads; holds tables, not the log."""

    def __init__(self) -> None:
        self._found: list[Table | _Timing | AutotunedOp] = []
        self._tables: list[Table] = []  # those that rows may still belong to, the latest last
        self._timing: _Timing | None = None
        self._within = False  # the last line was part of a table
        self._unread: list[str] = []
        self._lock = Lock()

    def read(self, message: str) -> None:
        """Takes one message, of one or more lines."""
        with self._lock:
            # Not splitlines: \x1e, which TensorRT writes between ONNX nodes, ends a line for it.
            for line in message.split("\n"):
                self._line(line[_end_of_prefix(line) :].strip(" \t\r"))

    def result(self) -> AutotuningLog:
        """What was told until now."""
        with self._lock:
            ops = (f if isinstance(f, AutotunedOp) else f.op() for f in self._found)
            return AutotuningLog(tuple(ops), tuple(self._unread))

    def _line(self, line: str) -> None:
        within, self._within = self._within, False
        if _ROW.match(line):
            self._within = self._row(line, within)
        elif match := _OP.match(line):
            self._add_table(
                Table(match["name"], _key(match["key"]), metadata_nodes(match["nodes"] or "", None))
            )
        elif _ANNOUNCED.match(line):
            self._announce(line)
        elif _HEADER.match(line):
            self._within = True
            self._announce(line, {name.strip(): place for place, name in enumerate(line.split(","))})
        elif match := _SELECTED.match(line):
            self._select(normalised(match["tactic"]), line)
        elif match := _FORMATS.match(line):
            self._timing = _Timing(match["formats"], _key(match["key"]), match["what"] == "Reformat")
        elif match := _RUNNER.match(line):
            self._time_runner(match)
        elif match := _TIMED.match(line):
            self._timed(match, line)
        elif _NONE.match(line):
            self._timed_none()
        elif match := _CHOSE.match(line):
            self._chose(match, line)
        elif match := _FASTEST.match(line):
            self._timed_all(match)
        elif match := _CACHED.match(line):
            self._found.append(_cached(match))

    # Myelin's tables ----------------------------------------------------------------------------------------

    def _add_table(self, table: Table) -> None:
        self._found.append(table)
        self._tables = [*self._tables[1 - _OPEN_TABLES :], table]

    def _announce(self, line: str, columns: Mapping[str, int] | None = None) -> None:
        """A table begins: that of the latest op without one, since an op may have none at all."""
        waiting = next((t for t in reversed(self._tables) if not t.announced and not t.rows), None)
        if waiting is not None:
            waiting.announced = True
            if (
                waiting is not self._tables[-1]
            ):  # an op came in between: whose table the last one was is not told
                _mix(self._tables[self._tables.index(waiting) :])
        beginning = [t for t in self._tables if t.announced and not t.rows]
        if not beginning:
            self._leave(line)
        elif columns is not None:
            beginning[-1].columns = columns

    def _row(self, line: str, within: bool) -> bool:
        """Gives a row to its table; whether it was one."""
        read = [(t, read_row(line, t.columns or _COLUMNS)) for t in reversed(self._tables)]
        for table, row in read:
            if row is not None and table.continued_by(row):
                table.add(row)
                return True
        starting = [(t, row) for t, row in read if row is not None and t.announced and not t.rows]
        if len(starting) == 1:
            starting[0][0].add(starting[0][1])
        elif starting:
            _mix([table for table, _ in starting])
        elif not within:
            return False
        elif read and read[0][1] is None:
            read[0][0].unknown.append(f"a row was not understood: {line}")
        else:
            self._leave(line)
        return True

    def _select(self, tactic: str, line: str) -> None:
        latest_first = self._tables[::-1]
        holders = [t for t in latest_first if any(r.candidate.tactic == tactic for r in t.rows)]
        if not holders and len(latest_first) == 1:
            holders = latest_first
            holders[0].unknown.append("the row of the chosen tactic is missing")
        if not holders:
            self._leave(line)
            return
        holders[0].selected = tactic
        self._tables.remove(holders[0])

    # runners ------------------------------------------------------------------------------------------------

    def _time_runner(self, match: re.Match[str]) -> None:
        timing = self._timing
        if timing is None or timing.name not in ("", match["name"]):
            timing = self._timing = _Timing()
        if not timing.name:
            timing.name = match["name"]
            self._found.append(timing)
        number = match["implementation"]
        timing.timed_runner = match["runner"], int(number, 16) if number else None

    def _timed(self, match: re.Match[str], line: str) -> None:
        if self._timing is None or not self._timing.name:
            self._leave(line)
            return
        runner, implementation = self._timing.timed_runner
        self._timing.candidates.append(
            Candidate(
                normalised(match["tactic"]),
                cost_of(match["cost"]),
                match["kernel"] or "",
                runner,
                implementation,
            )
        )

    def _timed_none(self) -> None:
        if self._timing is not None:
            self._timing.without = True

    def _timed_all(self, match: re.Match[str]) -> None:
        """The end of a runner; of a reformat, which has but one, also its choice."""
        if self._timing is not None and self._timing.is_reformat:
            self._timing.selected, self._timing.runner = normalised(match["tactic"]), match["runner"]
            self._timing = None

    def _chose(self, match: re.Match[str], line: str) -> None:
        timing, self._timing = self._timing, None
        if timing is None or not timing.name:
            self._leave(line)
            return
        timing.selected, timing.runner = normalised(match["tactic"]), match["runner"]

    def _leave(self, line: str) -> None:
        if len(self._unread) < _KEPT_UNREAD:
            self._unread.append(line)


@dataclass
class _Timing:
    """One combination of formats of a layer, as far as it was read.

    Attributes:
        timed_runner: the one being timed.
        without: some runner has no tactic for it.
    """

    formats: str = ""
    key: str | None = None
    is_reformat: bool = False
    name: str = ""
    timed_runner: tuple[str, int | None] = ("", None)
    without: bool = False
    candidates: list[Candidate] = field(default_factory=list)
    selected: str | None = None
    runner: str = ""

    def op(self) -> AutotunedOp:
        told = self.selected is not None or (self.without and not self.candidates)
        return AutotunedOp(
            self.name,
            self.key,
            (),
            tuple(self.candidates),
            self.selected,
            self.runner,
            self.formats,
            () if told else ("the log does not tell the choice; more tactics may be missing",),
        )


def _cached(match: re.Match[str]) -> AutotunedOp:
    tactic = normalised(match["tactic"])
    return AutotunedOp(
        match["name"],
        candidates=(Candidate(tactic, cost_of(match["cost"]), runner=match["runner"]),),
        selected=tactic,
        runner=match["runner"],
        formats=match["formats"],
        unknown=("it was not timed anew: the other tactics are not listed",),
    )


def _end_of_prefix(line: str) -> int:
    line_start = len(line) - len(line.lstrip())
    match = _PREFIX.match(line, line_start)
    return match.end() if match else line_start


def _key(text: str | None) -> str | None:
    return None if text in (None, "None") else text.lower()


def _mix(tables: Iterable[Table]) -> None:
    for table in tables:
        table.mixed = True
