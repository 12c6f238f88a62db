"""From the objects in the storage to a frame with the table's columns.

probe, files      what stands in the storage now
looks             our own look at each file: its records and columns (`found`), what is wrong with it. Of bytes:
                  `compression`, `utf8`, then `csv_*` with `heads`, `json_scan`, or a footer with `parquet_types`
strangers,        which files must make no table; what becomes of the table's columns by each file. Pure
evolution
guesses, proving  the types that nobody gave: guessed from a sample, proven on all records
casts, nested     from texts to values, or a refusal: the table of docs/values.md
readers           the files by what Spark may read together: `csv_files`, `json_files`, `parquet_files` make `parts`
parts, frames     a frame of the good records, and one of the bad ones with their reasons (`badness` counts them)
reading           the whole of it for one batch, whose files become fewer on the way
paths, buckets    how Spark is told of names and keys; `types` writes types as SQL
"""
