"""`autoloader demo`: five acts on real parts, every row and every completion event counted."""

from cli.demo.command import demo
from cli.demo.topics import completions, events_of

__all__ = ["completions", "demo", "events_of"]
