"""One attempt of one batch: what `flows.ingest` and `flows.preview` do, without Prefect.

attempt    claims, opens the Spark session (`session`, `pinned`; `parked` when it is there already), and writes why it
           failed; `life` tells the ledger that the run lives
work       does in the session what the kind of the attempt says; pyspark is imported from here on, after the claim
load       loads the batch: look, read, stage, audit, publish its bad records and then itself
closing    closes the batch, or finds that it is loaded already
glancing   shows the first rows of a file to whoever asked

ledger     claim, fence and result in PostgreSQL
files      which files of the batch are left, and how the others ended
reading/   from the objects in the storage to a frame with the table's columns
writing/   from a frame to rows of the table, at most once
errors     what may go wrong, in few words; `translation` makes them of what vendors say, by the table `meanings`
"""
