"""`autoloader down`: stop the local stack."""

from cli.stack import local_stack


def down() -> None:
    """Stop everything that `up` started here. The data stays."""
    local_stack().down()
