"""Class data sharing: a JVM's loaded classes kept in a file, so that its next start takes half the time or less.

A JVM told to record writes the archive when it ends. A missing, damaged or stale archive costs only time:
the JVM looks at it and goes on without. Archives lie beside the jars, because each is valid for exactly one
Java and one class path; homes that share the jars share them too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev.java import check_java

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dev.home import Home

# The first bytes of a finished archive; they are written last.
_FINISHED = (0xF00BABA8).to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class ClassData:
    """The archive of one program: `kept` is the one in use, `written` a recording of this home."""

    kept: Path
    written: Path

    def exists(self) -> bool:
        return _is_finished(self.kept)

    def use(self) -> list[str]:
        """The JVM's flags; none when there is no archive."""
        return ["-Xshare:auto", f"-XX:SharedArchiveFile={self.kept}"] if self.exists() else []

    def record(self) -> list[str]:
        """The JVM's flags to write an archive at its end."""
        self.written.parent.mkdir(parents=True, exist_ok=True)
        self._note.unlink(missing_ok=True)
        return [f"-XX:ArchiveClassesAtExit={self.written}"]

    def note_ready(self) -> None:
        """The recording program got as far as being ready: what it writes is worth keeping."""
        if not self.exists():
            self.written.parent.mkdir(parents=True, exist_ok=True)
            self._note.touch()

    def keep(self) -> None:
        """Put a complete recording, if there is one, where it is used from."""
        if self._note.exists() and _is_finished(self.written):
            with contextlib.suppress(OSError):  # shared jars may be another user's
                self._drop_outdated()
                self.written.replace(self.kept)

    def _drop_outdated(self) -> None:
        # One of Spark has 170 MB.
        program = self.kept.name.rpartition("-")[0]
        for outdated in self.kept.parent.glob(f"{program}-*.jsa"):
            outdated.unlink()

    @property
    def _note(self) -> Path:
        return self.written.with_suffix(".ready")


def class_data(home: Home, program: str, class_path: Sequence[str], environ: Mapping[str, str]) -> ClassData:
    """The archive of `program` for these files, in this order, and this Java."""
    text = os.pathsep.join([check_java(environ), *map(_as_java_checks, class_path)])
    name = f"{program}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.jsa"
    return ClassData(kept=home.cache / name, written=home.root / "cache" / name)


def _as_java_checks(jar: str) -> str:
    found = Path(jar).stat()
    return f"{jar} {found.st_size} {found.st_mtime_ns}"


def _is_finished(archive: Path) -> bool:
    try:
        with archive.open("rb") as file:
            return file.read(len(_FINISHED)) == _FINISHED
    except OSError:
        return False
