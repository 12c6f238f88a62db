"""The commands: each verb is a module of its own."""
