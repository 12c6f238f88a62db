"""The values of small files that went wrong elsewhere, or are like them: each is what the file says, or is refused."""

import json
from datetime import date
from decimal import Decimal

import pytest

from flows.loading.reading.types import MAX_DEPTH
from tests.integration.flow_site import CSV, JSON, Lake, a_table, outcomes, reason
from tests.integration.test_flow_cases import CASES, land_case

pytestmark = pytest.mark.integration


def types(lake: Lake, table: str) -> dict[str, str]:
    return {name: kind for name, kind in lake.session.table(table).dtypes if not name.startswith("_")}


def test_02_marker_files_hold_nobody_up_and_folders_make_no_columns(lake: Lake) -> None:
    folder, (case,) = lake.land("first", "").parent, CASES.glob("02-*")
    files = []
    for path in sorted(one for one in case.rglob("*") if one.is_file()):
        files.append(folder / path.relative_to(case))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_bytes(path.read_bytes())
    table = a_table()

    report = lake.published(lake.batch(table, files))

    loaded = {name for name, found in outcomes(report).items() if found == ("loaded", 1)}
    assert loaded == {"part-0001.csv", "part-0002.csv", "part-0003.csv", "part-0004.csv"}
    assert {name for name, (outcome, _) in outcomes(report).items() if outcome == "quarantined"} == {
        "_SUCCESS", ".part-0001.csv.crc",
    }  # fmt: skip
    assert "day" not in types(lake, table)


def test_06_and_07_codes_and_times_of_day_stay_text(lake: Lake) -> None:
    codes, trips = a_table(), a_table()

    lake.published(lake.batch(codes, land_case(lake, "06")))
    lake.published(lake.batch(trips, land_case(lake, "07")))

    assert lake.rows(codes, "zip", "seat", "lot", "phone", by="zip") == [
        ("00501", "2D", "3E1", "+4930123456"), ("01220", "12D", "12E4", "+15551234567"),
        ("94107", "14F", "7E2", "+442071234567"),
    ]  # fmt: skip
    assert lake.rows(trips, "trip", "departure", "arrival", by="trip") == [
        (1, "10:30:00", "12:05"), (2, "23:59:59", "00:15"),
    ]  # fmt: skip


LOOKS_LIKE = {
    "version": (["1.10", "1.9", "2.0"], "string"),
    "month": (["2026-01", "2025-12"], "string"),
    "iban": (["12345678901234567890123456789012345678901", "00012345678901234567890123456789012345678"], "string"),
    "hex": (["0x10", "0x1p3"], "string"),
    "octal": (["007", "010"], "string"),
    "grouped": (["1,234", "5,678"], "string"),
    "money": (["1.50", "20.00"], "decimal(18,2)"),
    "huge": (["18446744073709551615", "1"], "decimal(38,0)"),
    "minus_zero": (["-0", "1"], "string"),
    "blank": [[" 5", "6"], "string"],
    "offset": (["2026-01-05T10:00:00+02:00", "2026-01-05T11:00:00+01:00"], "string"),
    "instant": (["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"], "timestamp"),
    "clock": (["2026-01-05 10:00:00", "2026-01-05 11:30:00.5"], "timestamp_ntz"),
    "nanos": (["2026-01-05 10:00:00.123456789", "2026-01-05 10:00:00.1"], "string"),
    "leap": (["2024-02-29", "2023-02-29"], "string"),
    "word": (["true", "yes"], "string"),
    "python": (["True", "False"], "boolean"),
    "infinity": (["inf", "1.5"], "string"),
    "year": (["2024", "1999"], "bigint"),
}


def test_what_looks_like_another_type_is_given_back_letter_by_letter(lake: Lake) -> None:
    table = a_table()
    lines = [",".join(LOOKS_LIKE)]
    lines += [",".join(f'"{values[at]}"' for values, _ in LOOKS_LIKE.values()) for at in range(2)]

    lake.published(lake.batch(table, [lake.land("a.csv", "\n".join(lines))]))

    assert types(lake, table) == {name: kind for name, (_, kind) in LOOKS_LIKE.items()}
    texts = [name for name, (_, kind) in LOOKS_LIKE.items() if kind in {"string", "bigint"} or "decimal" in kind]
    found = lake.rows(table, *(f"CAST({name} AS STRING)" for name in texts), by="year")
    assert found == [tuple(LOOKS_LIKE[name][0][at] for name in texts) for at in (1, 0)]


REFUSED = {
    "a bigint": ("id", ["5.0", "1e3", " 7", "0x1F", "9223372036854775808", "٣"]),
    "a decimal": ("amount", ["1.239", "1e2", "1,5", "123456789.00", "NaN", "--1"]),
    "a date": ("day", ["2026", "2026-1-5", "2026-02-30", "2026-01-04 23:45:00", "2026-01-06 cancelled", "05.01.2026"]),
    "a timestamp": (
        "at",
        ["10:30:00", "2026-01-05", "1764151200000", "2026-01-05T10:00:00.1234567", "2026-13-01 10:00"],
    ),
    "a boolean": ("ok", ["t", "yes", "1", "wahr", "truee"]),
    "a double": ("ratio", ["1.5d", "1e400", "0x1p3", "1.5 ", "one"]),
}
HINTS = {
    "id": "bigint",
    "amount": "decimal(10,2)",
    "day": "date",
    "at": "timestamp",
    "ok": "boolean",
    "ratio": "double",
}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_09_18_what_does_not_fit_its_column_is_refused_and_never_bent(lake: Lake, kind: str) -> None:
    table, folder = a_table(), lake.land("first", "").parent
    wrong = {f"{name}-{at}": text for name, texts in REFUSED.values() for at, text in enumerate(texts)}
    for name, text in wrong.items():
        values = dict.fromkeys(HINTS, "") | {name.rpartition("-")[0]: text}
        lines = json.dumps({key: one for key, one in values.items() if one})
        content = f"{','.join(HINTS)}\n{','.join(f'{chr(34)}{one}{chr(34)}' for one in values.values())}\n"
        (folder / f"{name}.{kind}").write_text(lines if kind == "json" else content)
    right = folder / f"right.{kind}"
    right.write_text(
        '{"id": 1}' if kind == "json" else f"{','.join(HINTS)}\n1,1.50,2026-01-05,2026-01-05 10:00,true,0.1\n"
    )
    files = [folder / f"{name}.{kind}" for name in wrong] + [right]

    report = lake.published(lake.batch(table, files, {kind: {}}, hints=HINTS))

    assert {name for name, (outcome, _) in outcomes(report).items() if outcome == "loaded"} == {right.name}
    for name, text in wrong.items():
        assert repr(text.strip("\0")) in reason(report, f"{name}.{kind}").replace('"', "'")


def test_09_the_case_itself_in_csv_and_in_json(lake: Lake) -> None:
    table, hints = a_table(), {"amount": "decimal(10,2)"}
    first, *others = land_case(lake, "09")

    lake.published(lake.batch(table, [first], hints=hints))
    report = lake.published(lake.batch(table, others, hints=hints))

    assert {outcome for outcome, _ in outcomes(report).values()} == {"quarantined"}
    assert types(lake, table) == {"id": "bigint", "day": "date", "amount": "decimal(10,2)"}
    assert lake.rows(table, "day", "amount", by="id") == [
        (date(2026, 1, 2), Decimal("10.25")), (date(2026, 1, 3), Decimal("11.00")),
    ]  # fmt: skip


def test_13_blanks_around_the_names_of_a_header_mean_nothing(lake: Lake) -> None:
    table, hints = a_table(), {"Value": "decimal(10,2)"}
    first, second = land_case(lake, "13")

    for file in (first, second):
        assert outcomes(lake.published(lake.batch(table, [file], hints=hints)))[file.name][0] == "loaded"

    assert types(lake, table) == {"Id": "bigint", "Name": "string", "Value": "decimal(10,2)"}
    assert len(lake.rows(table, "Id")) == 3


def test_a_hint_that_means_no_column_is_an_error(lake: Lake) -> None:
    ended = lake.load(lake.batch(a_table(), [lake.land("a.csv", "id,value\n1,2\n")], hints={"valeu": "int"}))

    assert "schema.hints.valeu" in getattr(ended, "reason", "")
    assert "did you mean 'value'?" in getattr(ended, "reason", "")


def test_14_a_file_that_is_set_aside_decides_nothing(lake: Lake) -> None:
    table = a_table()

    report = lake.published(lake.batch(table, land_case(lake, "14")))

    assert outcomes(report) == {"broken.csv": ("quarantined", 0), "good.csv": ("loaded", 2)}
    assert "connection lost" in reason(report, "broken.csv")
    assert types(lake, table) == {"id": "bigint", "amount": "double", "day": "date"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.csv", "<!DOCTYPE html>\n<html><body>503</body></html>\n"),
        ("error.csv", '{"error": "not found", "code": 404}\nx,y\n'),
        ("headerless.csv", "1,one,2026-01-05\n2,two,2026-01-06\n"),
        ("other.csv", "name,mail\na,b\n"),
        ("text.csv", "Internal Server Error\nat line 5\n"),
    ],
)
def test_a_file_that_is_none_of_its_source_makes_no_columns(lake: Lake, name: str, content: str) -> None:
    table = a_table()
    good = [lake.land(f"{n}.csv", f"id,amount\n{n},1.5\n") for n in range(3)]

    report = lake.published(lake.batch(table, [lake.land(name, content), *good]))

    assert outcomes(report)[name] == ("quarantined", 0)
    assert types(lake, table) == {"id": "bigint", "amount": "double"}


def test_18_a_number_is_no_moment(lake: Lake) -> None:
    report = lake.published(lake.batch(a_table(), land_case(lake, "18"), JSON, hints={"at": "timestamp"}))

    assert outcomes(report) == {"events.json": ("quarantined", 0)}
    assert "'1764151200000' is not a value of timestamp" in reason(report, "events.json")


@pytest.mark.parametrize("levels", [40, 400])
def test_what_stands_deeper_in_json_than_types_may_is_kept_as_text(lake: Lake, levels: int) -> None:
    table = a_table()
    objects, arrays = '{"a":' * levels + "1" + "}" * levels, "[" * levels + "1" + "]" * levels

    report = lake.published(lake.batch(table, [lake.land("deep.json", f'{{"o": {objects}, "l": {arrays}}}\n')], JSON))

    assert outcomes(report) == {"deep.json": ("loaded", 1)}
    [(within_objects, within_arrays)] = lake.rows(table, "o" + ".a" * (MAX_DEPTH - 1), "l" + "[0]" * (MAX_DEPTH - 1))
    deep = levels - MAX_DEPTH + 1
    assert within_objects == '{"a":' * deep + "1" + "}" * deep
    assert within_arrays == "[" * deep + "1" + "]" * deep


def test_29_nothing_the_empty_text_and_a_word_for_null_are_told_apart(lake: Lake) -> None:
    table, plain = a_table(), a_table()

    lake.published(lake.batch(table, land_case(lake, "29"), {"csv": {"null_value": "NA"}}))
    lake.published(lake.batch(plain, [lake.land("a.csv", 'n,t,d\n1,,\n2,"",""\n3," ",1\n')], CSV))

    assert lake.rows(table, "id", "code", by="id") == [(1, None), (2, None), (3, ""), (4, None)]
    assert lake.rows(plain, "n", "t", "d", by="n") == [(1, None, None), (2, "", None), (3, " ", 1)]
