"""The walls between the rooms: a contract of our own for import-linter, and tests that try to break each of them."""
