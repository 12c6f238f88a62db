"""A guessed type gives every text back letter by letter, or it is text."""

import random
import re
from collections.abc import Callable

import pytest
import re2

from flows.loading.reading.casts import Spelling
from flows.loading.reading.guesses import guess
from flows.loading.reading.types import ddl


def guessed(*texts: str, spelling: Spelling | None = None) -> str:
    return ddl(guess(list(texts), spelling or Spelling()).kind)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("1", "-2", "0", "9223372036854775807"), "bigint"),
        (("1", "9223372036854775808"), "decimal(38,0)"),
        (("01220", "94107"), "string"),
        (("+15551234567",), "string"),
        (("12D", "2D"), "string"),
        (("12E4", "3E1"), "string"),
        (("1", "-0"), "string"),
        (("10.5", "11", "0.25"), "double"),
        (("10.0", "1.5"), "double"),
        (("10", "10.0"), "string"),
        (("1.10", "1.9"), "string"),
        (("1.10", "2.25"), "decimal(18,2)"),
        (("0.123456789012345678",), "decimal(38,18)"),
        (("0.1", "0.12345678901234567890123"), "string"),
        (("1,5",), "string"),
        (("1e5",), "string"),
        (("NaN", "1.5"), "string"),
        (("true", "false"), "boolean"),
        (("True", "False"), "boolean"),
        (("true", "TRUE"), "string"),
        (("t", "f"), "string"),
        (("2026-01-05", "1582-10-10"), "date"),
        (("2026-01-05", "2026-02-30"), "string"),
        (("2026-01",), "string"),
        (("2026-1-5",), "string"),
        (("10:30:00",), "string"),
        (("2026-01-05 10:30:00", "2026-01-05 10:30:00.5"), "timestamp_ntz"),
        (("2026-01-05T10:30:00.120", "2026-01-05T10:30:00.000"), "timestamp_ntz"),
        (("2026-01-05T10:30:00.120", "2026-01-05T10:30:00"), "timestamp_ntz"),
        (("2026-01-05T10:30:00Z",), "timestamp"),
        (("2026-01-05T10:30:00+02:00",), "string"),
        (("2026-01-05T10:30:00", "2026-01-05 10:30:00"), "string"),
        (("2026-01-05", "2026-01-05 10:30:00"), "string"),
        (("2026-01-05T10:30:00.1234567",), "string"),
        ((" 5",), "string"),
        (("5\n",), "string"),
        ((), "string"),
    ],
)
def test_a_type_is_guessed_that_gives_the_texts_back(texts: tuple[str, ...], kind: str) -> None:
    assert guessed(*texts) == kind


def test_a_decimal_comma_is_a_number_where_the_source_says_so() -> None:
    assert guessed("1,5", "10", spelling=Spelling(decimal=",")) == "double"
    assert guessed("1.5", spelling=Spelling(decimal=",")) == "string"


def test_the_source_s_own_patterns_are_guessed() -> None:
    assert guessed("05.01.2026", spelling=Spelling(date="dd.MM.yyyy")) == "date"


def some_number(chance: random.Random) -> str:
    whole, fraction = chance.choice([0, 1, 2, 14, 15, 17, 18]), chance.choice([0, 0, 1, 2, 6, 14, 17])
    digits = "".join(chance.choices("0123456789", k=whole)) or "0"
    after = "." + "".join(chance.choices("0009", k=fraction)) if fraction else ""
    return chance.choice(["", "", "-"]) + digits + after


def some_moment(chance: random.Random) -> str:
    day = f"{chance.randint(0, 9999):04}-{chance.randint(0, 13):02}-{chance.randint(0, 32):02}"
    clock = f"{chance.randint(0, 25):02}:{chance.randint(0, 60):02}:{chance.randint(0, 60):02}"
    after = chance.choice(["", ".5", ".500", ".000", ".000000", ".000001", ".123456"])
    return chance.choice([day, f"{day}{chance.choice(' T')}{clock}{after}{chance.choice(['', 'Z', '+01:00'])}"])


@pytest.mark.parametrize("made", [some_number, some_moment, lambda chance: chance.choice(["true", "False", "", "x"])])
def test_the_proof_of_a_form_is_of_just_its_texts(made: Callable[[random.Random], str]) -> None:
    chance = random.Random(1)  # noqa: S311 - no secret is made of it
    texts = [made(chance) for _ in range(500)]
    forms = {form for text in texts for form in [guess([text], Spelling()), guess([text, *texts[:1]], Spelling())]}

    for form in forms:
        if form.proof is not None:
            for text in texts:
                proven = re.fullmatch(form.proof, text) is not None
                assert proven is bool(re2.fullmatch(form.proof, text)), (form, text)
                assert proven is form.holds(text), (form, text)
