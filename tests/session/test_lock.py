"""Two processes never work in one session's folder."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from command_line import ROOT

from trtdebug.core.errors import UserError
from trtdebug.session.lock import LOCK, locked

HOLDER = """
import sys
from pathlib import Path
from trtdebug.session.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    input()
"""


def test_another_process_is_refused_with_the_holders_id_until_it_dies(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match=f"in use by process {holder.pid}"), locked(tmp_path):
            pass
        assert (tmp_path / LOCK).read_text() == str(holder.pid)
        holder.kill()
    with locked(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())


def test_a_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        _ = 1 / 0
    with locked(tmp_path):
        pass


def test_a_lock_is_not_inherited(tmp_path):
    """A worker that outlives its session must not hold it."""
    with locked(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with locked(tmp_path):
        child.communicate(b"\n")
