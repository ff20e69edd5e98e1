"""Why something that an extension should add may not be there."""

from __future__ import annotations

from trtdebug.plugins.record import Record


def failures(record: Record, kind: str) -> str:
    """A sentence, after a space, for each extension that failed at import, in `trtdebug_<kind>`, or in what it gave."""
    told = {
        f" The extension {p.plugin} ({p.distribution} {p.version}) failed: {p.error.removesuffix('.')}."
        for p in record.problems
        if p.hook is None or p.hook.split()[0] == kind
    }
    return "".join(sorted(told))
