"""`autoloader demo`: five acts on real parts, every row and every completion event counted."""

from cli.demo.topics import completions, events_of

__all__ = ["completions", "events_of"]
