"""The file of the timing cache: whole or not at all, and only of this TensorRT on this GPU."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_COMPLAINT = re.compile(r"\bmyelinCache\.h\b|\bThe timing cache will not be used\b")


def is_of_timing_cache(message: str) -> bool:
    """Whether an error is about a timing cache that TensorRT was given, and not about what it builds.

    8.6.0 on an H200 says so of every cache with blocks of Myelin, its own; then it times those anew, and builds.
    """
    return _COMPLAINT.search(message) is not None


@dataclass(frozen=True)
class TimingCacheFile:
    """A serialised trt.ITimingCache behind a line of JSON that says who made it, and its SHA-256.

    A builder that dies while it writes, a full disk, or a session folder that went to another machine must
    never break a build: TensorRT is given nothing that it did not write itself.

    Attributes:
        maker: version and device, as they are written to the file.
    """

    path: Path
    maker: str

    @classmethod
    def of(cls, path: Path | None, maker: str) -> TimingCacheFile | None:
        """The file at a path; None where no cache is wanted."""
        return None if path is None else cls(path, maker)

    def read(self) -> tuple[bytes, str]:
        """The cache, and why it is not used: of the two one is empty; both where there is no file yet."""
        try:
            head, _, content = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return b"", ""
        try:
            said = json.loads(head)
            maker, digest = str(said["maker"]), said["sha256"]
        except (ValueError, TypeError, KeyError):
            return b"", f"the timing cache {self.path} is not one of trtdebug's, and was left out"
        if digest != hashlib.sha256(content).hexdigest():
            return b"", f"the timing cache {self.path} is damaged, and was left out"
        if maker != self.maker:
            return b"", f"the timing cache {self.path} is of {maker}, and was left out"
        return content, ""

    def write(self, content: bytes) -> None:
        """Replaces the file; whoever reads it meanwhile sees the old one or the new one."""
        head = json.dumps({"maker": self.maker, "sha256": hashlib.sha256(content).hexdigest()}).encode()
        temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}.tmp")
        with temporary.open("wb") as file:
            file.write(head + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    def update(self, began_with: bytes, timings: Callable[[bytes], bytes]) -> None:
        """Replaces the file; others who do so meanwhile wait.

        Args:
            began_with: what `read` gave before the build.
            timings: gives the new content from that of others who wrote the file since; from b"" where nobody did.
        """
        with self.path.with_name(f"{self.path.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others = self.read()[0]
            self.write(timings(others if others != began_with else b""))

    def drop(self) -> None:
        """Removes the file, if it is there."""
        self.path.unlink(missing_ok=True)
