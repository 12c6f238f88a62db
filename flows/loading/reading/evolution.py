"""What becomes of a table's columns by the files of a batch: decided for each file, before any is read. Pure.

A file is never refused because of its neighbours: what it has is compared with the table alone, and what does not fit
is said of the file. Modes (`schema.mode`):

    add-columns  what a file has and the table has not is added; a type is widened where Iceberg can
    rescue       it is kept as JSON text in the column `_rescued`, and so is what has no right value for its column; a
                 file with more fields within a column is set aside
    fixed        it is left out
    fail         the file is set aside
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pyspark.sql.types import ArrayType, DataType, MapType, NullType, StringType, StructType

from flows.loading.reading.found import Texts, Tokens, Typed
from flows.loading.reading.strangers import listed, strangers, without_names
from flows.loading.reading.types import ddl, is_number, joined, promotes, widens
from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from flows.loading.reading.found import Found, Values
    from schemas.config.sources import Columns

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done before the files can be read.

    `add`: columns, or fields within them, with what each file holds there, by URI. `widen`: new types. By URI:
    `aside`, why; `names`, how the file spells the table's columns; `left_out`, what it has that the table does not.
    """

    add: dict[Path, dict[str, Values]] = field(default_factory=dict)
    widen: dict[Path, DataType] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)


def decide(table: StructType, found: Mapping[str, Found], columns: Columns, *, is_new: bool) -> Plan:
    """The plan for these files, by URI. A table that is new has the columns that the configuration gives."""
    known = {name.lower() for name in (*table.fieldNames(), *columns.given)}
    aside = strangers(found, columns) if is_new else without_names(found, known)
    while True:
        left = {uri: file for uri, file in found.items() if uri not in aside}
        plan = _decide_once(table, left, columns, "add-columns" if is_new and not columns.columns else columns.mode)
        conflicts = _conflicts(plan)
        aside |= plan.aside | conflicts
        if not conflicts:
            plan.aside.update(aside)
            return plan


def _decide_once(table: StructType, found: Mapping[str, Found], columns: Columns, mode: str) -> Plan:
    deciding = _Deciding(table, columns, mode)
    for uri, file in sorted(found.items()):
        if (why := deciding.take(uri, file)) is not None:
            deciding.plan.aside[uri] = why
    return deciding.plan


def _conflicts(plan: Plan) -> dict[str, str]:
    """Files whose types for a new column do not go with those of most of the others."""
    aside: dict[str, str] = {}
    for path, files in plan.add.items():
        types = {uri: values for uri, values in files.items() if isinstance(values, Typed)}
        column = most = _most(types.values())
        for uri, one in types.items():
            if (both := joined(column, one.kind)) is None:
                name = ".".join(path)
                aside[uri] = f"column {name!r} is {ddl(one.kind)} in the file and {ddl(most)} in others of its batch"
            else:
                column = both
    return aside


def _most(types: Collection[Typed]) -> DataType:
    """The type of most files; of as many it is one that files store as it is, because its values fit for sure."""
    votes = Counter((ddl(one.kind), one.made) for one in types)
    counts = Counter(ddl(one.kind) for one in types)
    best = max(types, key=lambda one: (counts[ddl(one.kind)], votes[ddl(one.kind), False]), default=None)
    return NullType() if best is None else best.kind


@dataclass(frozen=True, slots=True)
class _Deciding:
    """The plan as it grows; `taken` has the names that are added, by how they compare."""

    table: StructType
    columns: Columns
    mode: str
    plan: Plan = field(default_factory=Plan)
    taken: dict[str, str] = field(default_factory=dict)

    def take(self, uri: str, file: Found) -> str | None:
        """Add what one file needs; or say why it is set aside."""
        names, unknown = matched(file.columns, [one.name for one in self.table.fields if one.name.lower() not in OURS])
        if why := _named_twice(file.columns, names) or _lacking(self.table, names, unknown, self.columns):
            return why
        changes = _Changes(self.mode)
        for one in self.table.fields:
            if one.name in names:
                changes.compare((one.name,), one.dataType, file.columns[names[one.name]])
        for name in unknown:
            column = self.taken.get(name.lower(), name)
            if changes.unknown((column,), file.columns[name]):
                names[self.taken.setdefault(name.lower(), column)] = name
        if changes.refused:
            return changes.refused[0]
        self._keep(uri, names, changes)
        return None

    def _keep(self, uri: str, names: dict[str, str], changes: _Changes) -> None:
        plan = self.plan
        plan.names[uri] = names
        if changes.left_out:
            plan.left_out[uri] = tuple(changes.left_out)
        for path, values in changes.add.items():
            plan.add.setdefault(path, {})[uri] = values
        for path, kind in changes.widen.items():
            plan.widen[path] = joined(plan.widen.get(path, kind), kind) or kind


def matched(names: Iterable[str], columns: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """By column, the name that means it: the same, or the same but for case where only one is; and those of none."""
    exact, folded = set(columns), Counter(one.lower() for one in columns)
    by_case = {one.lower(): one for one in columns}
    found: dict[str, str] = {}
    unknown: list[str] = []
    for name in names:
        column = name if name in exact else by_case.get(name.lower()) if folded[name.lower()] == 1 else None
        if column is None or (column in found and found[column] == column):
            unknown.append(name)
        else:
            if column in found:
                unknown.append(found[column])
            found[column] = name
    return found, unknown


def _named_twice(present: Mapping[str, Values], matched_names: Mapping[str, str]) -> str | None:
    """Two spellings of one name in a file: either could be meant."""
    seen: dict[str, str] = {}
    for name in present:
        if name.lower() in OURS:
            return f"it has a column {name!r}, which is a column of ours; name it otherwise"
        before = seen.setdefault(name.lower(), name)
        if before != name and not {before, name} <= matched_names.keys():
            return f"it has the columns {before!r} and {name!r}, which differ only by case; name them otherwise"
    return None


def _lacking(table: StructType, names: Mapping[str, str], unknown: Sequence[str], columns: Columns) -> str | None:
    """A file without a column must not be loaded where the column must have a value."""
    there = {name.lower() for name in (*names, *unknown)}
    if not there:
        return None  # a file without columns holds nothing
    needed = [*columns.required, *(one.name for one in table.fields if not one.nullable)]
    for name in needed:
        if name.lower() not in there and name.lower() not in OURS:
            known = listed([*names.values(), *unknown])
            return f"it has no column {name!r}, which must be there; its columns are {known}"
    return None


@dataclass(slots=True)
class _Changes:
    """What one file asks for."""

    mode: str
    add: dict[Path, Values] = field(default_factory=dict)
    widen: dict[Path, DataType] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def unknown(self, path: Path, values: Values) -> bool:
        """A column that the table does not have; whether it will."""
        name = ".".join(path)
        if isinstance(values, Typed) and isinstance(values.kind, NullType):
            return False  # nothing to keep
        if self.mode == "add-columns":
            self.add[path] = values
            return True
        if self.mode == "fail" or (self.mode == "rescue" and len(path) > 1):
            self.refused.append(f"column {name!r} is not in the table, and schema.mode is {self.mode}")
        else:
            self.left_out.append(name)
        return False

    def compare(self, path: Path, column: DataType, values: Values) -> None:
        """A column that both have."""
        match values:
            case Texts():
                if isinstance(column, StructType | ArrayType | MapType):
                    self._refuse(path, "text", column)
            case Tokens():
                self._compare_tokens(path, column, values)
            case Typed():
                self._compare_types(path, column, values.kind)

    def _compare_tokens(self, path: Path, column: DataType, values: Tokens) -> None:
        match column:
            case StructType():
                if values.scalar or values.element is not None:
                    self._refuse(path, "not an object", column)
                self._compare_fields(path, column, dict(values.fields or {}))
            case ArrayType():
                if values.scalar or values.fields is not None:
                    self._refuse(path, "not an array", column)
                if values.element is not None:
                    self.compare((*path, "element"), column.elementType, values.element)
            case MapType():
                if values.scalar or values.element is not None:
                    self._refuse(path, "not an object", column)
            case StringType():
                pass  # keeps the text of whatever it is
            case _:
                if values.fields is not None or values.element is not None:
                    self._refuse(path, "an object or an array", column)

    def _compare_types(self, path: Path, column: DataType, kind: DataType) -> None:
        match column, kind:
            case StructType(), StructType():
                self._compare_fields(path, column, {one.name: Typed(one.dataType) for one in kind.fields})
            case ArrayType(), ArrayType():
                self._compare_types((*path, "element"), column.elementType, kind.elementType)
            case MapType(), MapType():
                if not (widens(kind.keyType, column.keyType) and widens(kind.valueType, column.valueType)):
                    self._refuse(path, ddl(kind), column)
            case _, NullType():
                pass
            case _ if self.mode == "add-columns" and promotes(column, kind):
                self.widen[path] = kind
            case _ if not comparable(kind, column):
                self._refuse(path, ddl(kind), column)

    def _compare_fields(self, path: Path, column: StructType, fields: Mapping[str, Values]) -> None:
        names, unknown = matched(fields, [one.name for one in column.fields])
        if len({name.lower() for name in fields}) < len(fields) and len(names) + len(unknown) > len(column.fields):
            self.refused.append(f"column {'.'.join(path)!r} has fields whose names differ only by case")
            return
        for one in column.fields:
            if one.name in names:
                self.compare((*path, one.name), one.dataType, fields[names[one.name]])
        for name in unknown:
            self.unknown((*path, name), fields[name])

    def _refuse(self, path: Path, what: str, column: DataType) -> None:
        self.refused.append(
            f"column {'.'.join(path)!r} is {what} in the file and {ddl(column)} in the table; write the table's type"
        )


def comparable(kind: DataType, column: DataType) -> bool:
    """Whether values of one type may be values of the other: numbers, each of which is looked at."""
    return ddl(kind) == ddl(column) or (is_number(kind) and is_number(column))
