"""How a worker learns at once that there is a run: PostgreSQL carries the name of its lane there, and nothing else.

It is a hint. What is lost of it is found by asking Prefect.
"""

CHANNEL = "autoloader_runs"
