"""The file formats: what a person writes, and what becomes of it."""

from typing import get_args

import pytest

from schemas.formats import Format, Options

KINDS = [field.alias or name for name, field in Format.model_fields.items()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_of_a_format_may_be_left_out(kind: str) -> None:
    wanted = Format.model_validate({kind: {}})

    assert Format.model_validate(kind) == wanted
    assert Format.model_validate({kind: None}) == wanted


def test_every_format_has_options_of_its_own() -> None:
    assert {type(Format.model_validate(kind).options) for kind in KINDS} == {*get_args(Options)}
