from pathlib import Path
from types import ModuleType

import pytest

import storage
from schemas.uris import SCHEMES, UriError


def test_every_scheme_has_a_module_of_its_own_and_every_module_a_scheme() -> None:
    found = [_module(storage.of(f"{scheme}://b/k")) for scheme in SCHEMES]
    modules = {path.stem for path in Path("storage").glob("*.py")} - {"__init__", "credentials", "objects"}

    assert sorted(found) == sorted(modules)


def test_a_scheme_that_is_not_ours_finds_no_storage() -> None:
    with pytest.raises(UriError, match="does not begin with s3:// or file://"):
        storage.of("gs://b/k")


def _module(of_scheme: object) -> str:
    name: str = of_scheme.__name__ if isinstance(of_scheme, ModuleType) else type(of_scheme).__module__
    return name.rpartition(".")[2]
