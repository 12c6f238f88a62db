"""The stack as producers and readers see it."""

import pytest

from dev.stack import Stack
from tests.e2e.site import Site


@pytest.fixture(scope="session")
def site(stack: Stack) -> Site:
    """One for all end-to-end tests."""
    return Site(stack.settings())
