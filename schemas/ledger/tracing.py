"""Which trace a file belongs to: asked by the router, which tells of it, and by the runs, which send its spans."""

# Of a file `f`: what an event told of its version, else of the object.
TRACE_OF_FILE = """
    SELECT traceparent FROM file_trace
    WHERE (source_id, object) = (f.source_id, f.object) AND version IN (f.version, '')
    ORDER BY version DESC LIMIT 1
"""
