"""Read what can be read: a file that cannot be read is left out, and the rest tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from pyspark.sql.types import StringType, StructField, StructType

from flows.loading.errors import Infrastructure, Rejected, Unreadable, Vanished
from flows.loading.reading import badness, beginnings, evolution, probe, readers
from flows.loading.reading.frames import empty
from flows.loading.reading.parts import bad_rows, good_rows
from flows.loading.reading.paths import READ_OPTIONS, escaped, unreadable
from flows.loading.reading.proving import NewColumns, Proof, Unknown
from flows.loading.reading.readers import Looked
from flows.loading.reading.types import ddl, hinted
from flows.loading.translation import named_errors
from flows.loading.writing.tables import OURS, RESCUED
from schemas.base import nearest
from schemas.report import SchemaChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType

    from flows.loading.files import Files
    from flows.loading.reading.badness import Bad
    from flows.loading.reading.evolution import Path, Plan
    from flows.loading.reading.parts import Part
    from flows.loading.steps import Steps
    from schemas.manifest import Manifest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """What the files ask of the table: new columns and fields, and types to be widened, by their path."""

    add: dict[Path, DataType]
    widen: dict[Path, DataType]

    def applied(self, table: StructType | None) -> StructType:
        """The table's columns afterwards, as far as they are columns of their own."""
        there = [] if table is None else table.fields
        kept = [StructField(one.name, self.widen.get((one.name,), one.dataType), one.nullable) for one in there]
        return StructType([*kept, *(StructField(path[0], kind) for path, kind in self.add.items() if len(path) == 1)])

    def told(self, *, is_new: bool) -> tuple[SchemaChange, ...]:
        """The same for people."""
        added: Literal["create", "add"] = "create" if is_new else "add"
        return (
            *(SchemaChange(op=added, column=".".join(path), type=ddl(kind)) for path, kind in self.add.items()),
            *(SchemaChange(op="widen", column=".".join(path), type=ddl(kind)) for path, kind in self.widen.items()),
        )


@dataclass(slots=True)
class Reading:
    """The reading of some files as their manifest says; `files` shrinks on the way.

    Of big files it `glances` at the first records alone. `bad` has the bad records of the files that are loaded without
    them, by URI; `_columns` those of the last frame.
    """

    session: SparkSession
    manifest: Manifest
    files: Files
    steps: Steps
    glances: bool = False
    looked: Looked = field(init=False)
    bad: dict[str, Bad] = field(default_factory=dict)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    _columns: StructType = field(default_factory=StructType)
    _readable_alone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.looked = Looked(self.manifest.format, self.manifest.credentials, glances=self.glances)

    def begin(self) -> None:
        """End the files that are not to be read at all: each is looked at once."""
        self.probe()
        self._set_aside({uri: why for uri in self.files.left if (why := unreadable(uri)) is not None})
        self._look()

    def probe(self) -> bool:
        """End the files that have changed in the storage; whether there were any."""
        changed = self._ask(self.files.left)
        self.steps.done("probe")
        return changed

    def check(self, rows: Mapping[str, int]) -> bool:
        """End the files that have changed, or of which too many records are bad; whether there were any.

        `rows` are those staged, by file: a record that is not among them must be one that is known to be bad.
        """
        changed = self.probe()
        short = {uri for uri in self.files.left if self.looked.records(uri) != rows.get(uri, 0)}
        if not short:
            return changed
        aside = self._weigh(short, self._columns, rows)
        self.steps.done("bad rows")
        return changed or aside

    def without_unreadable(self, read: Callable[[], T]) -> T:
        """What `read` makes of the files that are left, once nothing is wrong with any of them.

        Each round leaves out a file or has found that it can be read, so there are at most two rounds a file.

        Raises:
            Infrastructure: Spark does not find what the storage has.
        """
        while True:
            try:
                return read()
            except Unreadable as error:
                self._without(error)
            except Vanished as error:
                if not self.probe():
                    raise Infrastructure(
                        f"Spark does not find what the storage has: {error}", target="storage"
                    ) from error

    def change(self, table: StructType | None) -> Change:
        """What the files ask of the table, or of one that is to be made, once no file decides that is set aside.

        Raises:
            Rejected: the configuration names a column that is nowhere.
        """
        known = table if table is not None else self._given()
        while True:
            left = set(self.files.left)
            plan = evolution.decide(known, self.looked.found(left), self.manifest.columns, is_new=table is None)
            if plan.add and self.looked.closer(self.files.left.values()):
                continue
            self._set_aside(plan.aside)
            self._names = plan.names
            add = self._types(plan, known)
            if self.files.left.keys() >= left - plan.aside.keys():
                break
        self._check_names(plan, known)
        if table is None and (add or any(plan.names.values())):
            add = {(one.name,): one.dataType for one in known.fields} | add
        if self._rescues and RESCUED not in known.fieldNames() and (table is not None or add):
            add[RESCUED,] = StringType()
        return Change(add, plan.widen)

    def bad_records(self, columns: StructType) -> dict[str, Bad]:
        """By URI, what a load refuses of the files that are left."""
        parts = self._parts(columns, self.files.left)
        return badness.of(parts, columns, self.session, rescued=self._rescues)

    def frame(self, columns: StructType, *, trusts: bool = True) -> DataFrame:
        """The good rows, with these columns and `_file_uri`.

        `trusts`: what our look has found to need no check is not checked.
        """
        self._columns = columns
        parts = self._parts(columns, self.files.left, trusts=trusts)
        return good_rows(parts, columns, rescued=self._rescues) if parts else empty(self.session, columns)

    def bad_frame(self) -> DataFrame | None:
        """The bad records of the files that are loaded without them; each file must be read by one task."""
        parts = self._parts(self._columns, self.bad.keys() & self.files.left.keys())
        return bad_rows(parts, self._columns, rescued=self._rescues) if parts else None

    @property
    def _rescues(self) -> bool:
        return self.manifest.columns.mode == "rescue"

    def _parts(
        self, columns: StructType, uris: Iterable[str], texts: frozenset[str] = frozenset(), *, trusts: bool = False
    ) -> list[Part]:
        looks = {uri: look for uri, look in self.looked.with_records(uris).items() if uri in self._names}
        names, is_cut = self._names, any(look.about is not None for look in looks.values())
        trusts = trusts and not is_cut  # the look knows nothing of what follows
        with named_errors():
            parts = readers.parts(self.session, self.manifest, looks, columns, names=names, texts=texts, trusts=trusts)
            return [beginnings.first(part, beginnings.RECORDS) for part in parts] if is_cut else parts

    def _given(self) -> StructType:
        """The columns that a table which is to be made is given."""
        types = hinted(self.session, self.manifest.columns.columns)
        return StructType([StructField(name, types[name.lower()]) for name in self.manifest.columns.columns])

    def _types(self, plan: Plan, known: StructType) -> dict[Path, DataType]:
        """The types of what is added: given, or guessed and proven."""
        columns = [Unknown(path[0], files.values()) for path, files in plan.add.items() if len(path) == 1]
        new = {one.name.lower() for one in columns}
        hints = {name: kind for name, kind in self.manifest.columns.given.items() if name.lower() in new}
        given = hinted(self.session, hints)
        types = {one.name: given[one.name.lower()] for one in columns if one.name.lower() in given}
        fields = [one for one in known.fields if one.name.lower() not in OURS]
        fields += [StructField(name, kind) for name, kind in types.items()]
        types |= {one.name: one.plain() for one in columns if one.is_sure and one.name not in types}
        if unknown := [one for one in columns if one.name not in types]:
            types |= self._proven(unknown, StructType(fields))
        found: dict[Path, DataType] = {(one.name,): types[one.name] for one in columns if one.name in types}
        return found | {
            path: Unknown(path[-1], files.values()).plain() for path, files in plan.add.items() if len(path) > 1
        }

    def _proven(self, unknown: Sequence[Unknown], known: StructType) -> dict[str, DataType]:
        """The types of unknown columns, which hold all values of the files that are left; none without records."""
        spelling, left = readers.spelling(self.manifest.format, self.manifest.columns), self.files.left
        new = NewColumns(unknown, known, spelling)
        types = self.looked.types(left, self._names, new, partial(self._parts, uris=left, trusts=True))
        if types is not None:
            return types
        proof = Proof(new)
        while True:
            columns = StructType([*known.fields, *(one.field() for one in unknown)])
            texts = frozenset(one.name for one in unknown if one.type() is None)
            if not (parts := self._parts(columns, left, texts)):
                return {}
            if not proof.is_sampled:
                proof.sample(parts)
            if (bad := proof.refuted(parts)) is None:
                return {one.name: one.type() or one.form(spelling).kind for one in unknown}
            if bad:
                self._weigh(bad, known)
                proof.accept(bad, left)

    def _weigh(self, uris: Iterable[str], columns: StructType, rows: Mapping[str, int] | None = None) -> bool:
        """Look at the bad records of these files: which are loaded without them, and which are set aside."""
        found = badness.of(self._parts(columns, uris), columns, self.session, rescued=self._rescues)
        aside = {}
        for uri in uris:
            bad, records = found.get(uri), self.looked.records(uri)
            count = bad.count if bad is not None else 0
            if rows is not None and rows.get(uri, 0) + count != records:
                aside[uri] = f"{records} records are in the file, and Spark read {rows.get(uri, 0) + count} rows of it"
            elif bad is not None and not self.manifest.bad_rows.allows(count, records):
                aside[uri] = bad.said(records)
            elif bad is not None:
                self.bad[uri] = bad
        self._set_aside(aside)
        return bool(aside)

    def _check_names(self, plan: Plan, known: StructType) -> None:
        """A name in the configuration that means no column is an error: nothing would tell of it."""
        there = {name.lower() for names in plan.names.values() for name in (*names, *names.values())}
        there |= {name.lower() for name in known.fieldNames()}
        if not there - OURS.keys():
            return
        for name in self.manifest.columns.hints:
            if name.lower() not in there:
                hint = nearest(name.lower(), sorted(there), "columns")
                raise Rejected(
                    f"schema.hints.{name}: there is no such column, neither in the files nor the table; {hint}"
                )

    def _look(self) -> None:
        try:
            wrong = self.looked.at(self.files.left.values())
        except FileNotFoundError as error:
            if not self.probe():
                raise Infrastructure(f"the storage does not give what it has: {error}", target="storage") from error
            self._look()
        else:
            self._set_aside(wrong)

    def _ask(self, uris: Iterable[str]) -> bool:
        """End those of these files that have changed in the storage; the others have the size they have there."""
        wanted = [self.files.left[uri] for uri in uris]
        now = probe.seen(wanted, self.manifest.allow, self.manifest.credentials)
        ended = [file for file in wanted if self.files.found(file.uri, now[file.uri])]
        return bool(ended)

    def _set_aside(self, reasons: Mapping[str, str]) -> None:
        """Quarantine these files, unless the storage has other ones by now: of those nothing is known."""
        if reasons:
            self._ask(reasons)
        for uri in reasons.keys() & self.files.left.keys():
            self.files.end(uri, "quarantined", reasons[uri])

    def _without(self, error: Unreadable) -> None:
        uri = error.uri(self.files.left)
        if uri is None:
            raise RuntimeError(f"Spark cannot read a file that is not of this batch: {error}") from error
        if error.malformed or uri in self._readable_alone or not self._reads_alone(uri):
            self._set_aside({uri: error.reason})
        else:
            self._readable_alone.add(uri)

    def _reads_alone(self, uri: str) -> bool:
        """Whether the bytes of this file can be read after all: a storage's hiccup is no fault of the file."""
        kind = readers.raw(self.manifest.format)
        try:
            with named_errors():
                frame = self.session.read.options(**READ_OPTIONS).format(kind).load([escaped(uri)])
                frame.write.format("noop").mode("overwrite").save()
        except (Unreadable, Vanished):
            return False
        return True
