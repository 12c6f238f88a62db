"""What a command says when it cannot do its work, on one line."""


class CommandError(Exception):
    """A command cannot do what it was asked: what is wrong, and what to write instead."""
