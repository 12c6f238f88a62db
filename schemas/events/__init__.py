"""What producers put on our topics: a file has landed, and requests."""
