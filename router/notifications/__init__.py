"""Bytes and headers become arrivals and requests. Pure: nothing here waits, asks a clock or looks outside.

1. What a record holds before anybody asks who sent it (JSON, a CloudEvent's attributes) belongs to `envelope`.
2. What one sender writes in its own way belongs to a module of `providers`, and nothing else knows of it.
3. A field is taken out by `fields`, which checks it: an error names the field and what it should be.
4. What is wrong is a `Rejected` with a reason from docs/troubleshooting.md; one bad entry spoils no other.
"""
