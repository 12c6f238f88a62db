"""What a table becomes by the files of a batch, and which files are set aside by name."""

from collections.abc import Mapping

import pytest
from pyspark.sql.types import (
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
)

from flows.loading.reading.evolution import Plan, decide, matched
from flows.loading.reading.found import Found, Texts, Tokens, Typed
from schemas.config.sources import Columns
from tests.evolution import CHANGES, DOCUMENT, document


def table(*, required: str = "", **types: DataType) -> StructType:
    return StructType([StructField(name, kind, name != required) for name, kind in types.items()])


def csv(*names: str) -> Found:
    return Found({name: Texts() for name in names})


def parquet(**types: DataType) -> Found:
    return Found({name: Typed(kind) for name, kind in types.items()})


def decided(there: StructType | None, files: Mapping[str, Found], **columns: object) -> Plan:
    return decide(there or StructType(), files, Columns.model_validate(columns), is_new=there is None)


ORDERS = table(id=LongType(), note=StringType())


def test_names_match_exactly_first_and_then_by_case_where_only_one_does() -> None:
    assert matched(["ID", "note", "new"], ["id", "Note"]) == ({"id": "ID", "Note": "note"}, ["new"])
    assert matched(["a", "A"], ["a", "A"]) == ({"a": "a", "A": "A"}, [])
    assert matched(["aB"], ["ab", "AB"]) == ({}, ["aB"])


@pytest.mark.parametrize(
    ("mode", "added", "left_out", "aside"),
    [
        ("add-columns", {("tip",)}, {}, set()),
        ("rescue", set(), {"new": ("tip",)}, set()),
        ("fixed", set(), {"new": ("tip",)}, set()),
        ("fail", set(), {}, {"new"}),
    ],
)
def test_a_column_that_the_table_lacks_is_added_kept_left_out_or_refused(
    mode: str, added: set[tuple[str, ...]], left_out: dict[str, tuple[str, ...]], aside: set[str]
) -> None:
    plan = decided(ORDERS, {"new": csv("id", "tip"), "old": csv("id")}, mode=mode)

    assert (set(plan.add), plan.left_out, set(plan.aside)) == (added, left_out, aside)
    assert "old" in plan.names


def test_two_files_that_spell_a_new_column_otherwise_mean_the_same_one() -> None:
    plan = decided(ORDERS, {"1": csv("id", "Tip"), "2": csv("id", "tip")})

    assert set(plan.add) == {("Tip",)}
    assert plan.names["2"]["Tip"] == "tip"


def test_a_file_with_two_spellings_of_a_name_is_set_aside() -> None:
    plan = decided(ORDERS, {"1": csv("id", "ID"), "2": csv("id")})

    assert "differ only by case" in plan.aside["1"]
    assert set(plan.names) == {"2"}


@pytest.mark.parametrize(
    ("there", "found", "widened", "aside"),
    [
        (IntegerType(), LongType(), LongType(), False),
        (FloatType(), DoubleType(), DoubleType(), False),
        (DecimalType(10, 2), DecimalType(12, 2), DecimalType(12, 2), False),
        (LongType(), IntegerType(), None, False),
        (DecimalType(10, 2), DecimalType(8, 1), None, False),
        (DoubleType(), LongType(), None, False),
        (StringType(), LongType(), None, True),
        (LongType(), StringType(), None, True),
        (TimestampNTZType(), LongType(), None, True),
        (LongType(), NullType(), None, False),
    ],
)
def test_a_typed_column_is_widened_compared_by_value_or_sets_its_file_aside(
    there: DataType, found: DataType, widened: DataType | None, aside: bool
) -> None:
    plan = decided(table(a=there), {"1": parquet(a=found)})

    assert plan.widen == ({("a",): widened} if widened else {})
    assert bool(plan.aside) is aside


def test_what_is_optional_within_a_column_may_be_missing_and_what_is_new_is_added() -> None:
    who = StructType([StructField("name", StringType()), StructField("age", IntegerType())])
    less = StructType([StructField("name", StringType())])
    more = StructType([StructField("name", StringType()), StructField("mail", StringType())])

    plan = decided(table(who=who), {"less": parquet(who=less), "more": parquet(who=more)})

    assert set(plan.add) == {("who", "mail")}
    assert not plan.aside


def test_json_of_another_shape_than_the_table_is_set_aside_by_name() -> None:
    who = StructType([StructField("name", StringType())])
    files = {
        "text": Found({"who": Tokens({"str"})}),
        "object": Found({"who": Tokens(fields={"name": Tokens({"str"})})}),
    }

    plan = decided(table(who=who), files)

    assert "'who' is not an object" in plan.aside["text"]
    assert set(plan.names) == {"object"}


def test_a_file_that_shares_nothing_with_the_others_makes_no_table() -> None:
    plan = decided(None, {"1": csv("id", "a"), "2": csv("id", "b"), "page": csv("<html>")})

    assert set(plan.aside) == {"page"}
    assert set(plan.add) == {("id",), ("a",), ("b",)}


def test_types_that_do_not_go_together_leave_the_file_that_came_later() -> None:
    plan = decided(None, {"1": parquet(a=StringType()), "2": parquet(a=StringType()), "3": parquet(a=LongType())})

    assert set(plan.aside) == {"3"}
    assert set(plan.names) == {"1", "2"}


def test_a_file_without_a_required_column_is_set_aside() -> None:
    files = {"1": csv("id", "note"), "2": csv("note"), "empty": csv()}

    configured = decided(ORDERS, files, required=["id"])
    not_null = decided(table(required="id", id=LongType(), note=StringType()), files)

    for plan in (configured, not_null):
        assert "no column 'id'" in plan.aside["2"]
        assert set(plan.names) == {"1", "empty"}


@pytest.mark.parametrize("name", ["1", "-2.50", "2026-01-05", "10:30", "<!DOCTYPE html>", '{"error": 1}'])
def test_a_first_line_of_values_or_of_a_page_makes_no_table_and_no_column_of_one(name: str) -> None:
    plan = decided(None, {"1": csv("id", name)})

    assert "does not look like names of columns" in plan.aside["1"]
    assert not decided(None, {"1": csv("id", name)}, hints={"id": "bigint"}).aside
    assert not decided(ORDERS, {"1": csv("id", name)}).aside
    assert "does not look like names of columns" in decided(ORDERS, {"1": csv(name, "x"), "2": csv("id")}).aside["1"]


def test_years_may_be_names() -> None:
    assert not decided(None, {"1": csv("country", "2024", "2025")}).aside


def test_the_document_is_what_the_rule_says() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tests.evolution"
    assert len(CHANGES) >= 40


def test_a_file_without_a_hinted_column_is_no_stranger() -> None:
    plan = decided(None, {"1": csv("id", "tip"), "2": csv("id"), "3": csv("id")}, hints={"tip": "double"})

    assert not plan.aside


def test_files_that_share_nothing_but_hinted_columns_belong_together() -> None:
    assert not decided(
        None, {"1": csv("id"), "2": csv("tip"), "3": csv("day")}, hints={"id": "int", "tip": "int", "day": "date"}
    ).aside


@pytest.mark.parametrize("uris", [("1", "2"), ("2", "1")])
def test_of_as_many_files_those_decide_a_type_that_store_it_as_it_is(uris: tuple[str, str]) -> None:
    made, plain = uris
    files = {made: Found({"a": Typed(TimestampNTZType(), made=True)}), plain: parquet(a=StringType())}

    assert set(decided(None, files).aside) == {made}
