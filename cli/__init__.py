"""The `autoloader` command: the only room above router, flows and dev."""
