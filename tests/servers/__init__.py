"""Servers of others that tests start beside the local stack: an S3 store, a REST catalog."""
