"""From a frame to rows of the table, at most once."""
