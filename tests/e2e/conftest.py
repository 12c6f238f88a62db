"""The stack as producers and readers see it."""

from collections.abc import Iterator

import pytest

from dev.stack import Stack
from tests.e2e.site import Site


@pytest.fixture(scope="session")
def site(stack: Stack) -> Iterator[Site]:
    """One for all end-to-end tests."""
    site = Site(stack.settings())
    yield site
    site.close()
