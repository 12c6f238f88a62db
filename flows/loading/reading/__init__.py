"""From files to a frame with the columns of the table: nothing is judged by its first bytes."""
