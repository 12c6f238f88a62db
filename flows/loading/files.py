"""The files of a batch while it is loaded: those left, and how the others ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.report import FileReport, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.loading.reading.badness import Bad
    from schemas.manifest import ManifestFile
    from schemas.report import FileOutcome
    from storage.objects import Measured


class Files:
    """Every file is in exactly one of `left` and `ended`, by URI: a batch has one version of an object."""

    def __init__(self, files: Sequence[ManifestFile]) -> None:
        self.left: dict[str, ManifestFile] = {file.uri: file for file in files}
        if len(self.left) < len(files):
            raise RuntimeError("the batch has two versions of an object, of which one load can read only one")
        self.ended: dict[str, FileReport] = {}

    def found(self, uri: str, now: Measured | None) -> bool:
        """What the storage has by now; whether it ends this file. The size told by an event is not believed."""
        file = self.left[uri]
        if now is None:
            self.end(uri, "missing", f"version {file.version} was recorded, and the storage has no such object now")
        elif now.version != file.version:
            words = f"version {file.version} was recorded, and the storage has version {now.version} now"
            self.end(uri, "superseded", f"{words} ({now.size} bytes)")
        else:
            self.left[uri] = file.model_copy(update={"size": now.size})
        return uri not in self.left

    def end(self, uri: str, outcome: FileOutcome, reason: str) -> None:
        """Keep how a file ended that is not loaded."""
        file = self.left.pop(uri)
        self.ended[uri] = FileReport(uri=uri, version=file.version, outcome=outcome, reason=reason)

    def reports(self, rows: Mapping[str, int], bad: Mapping[str, Bad] | None = None) -> tuple[FileReport, ...]:
        """How all of them ended, if what is left is loaded with these rows and without these bad records."""
        loaded = {uri: self._loaded(file, rows.get(uri, 0), (bad or {}).get(uri)) for uri, file in self.left.items()}
        return tuple(report for _, report in sorted({**loaded, **self.ended}.items()))

    @staticmethod
    def _loaded(file: ManifestFile, rows: int, bad: Bad | None) -> FileReport:
        report = FileReport(uri=file.uri, version=file.version, outcome="loaded", rows=rows)
        return (
            report
            if bad is None
            else report.model_copy(update={"rows_bad": bad.count, "reason": readable(bad.said(rows + bad.count))})
        )
