"""Which trace a file belongs to: asked by the router, which tells of it, and by the runs, which send its spans."""

# Joins to a file `f` its trace `t`, if it has one: what an event told of its version, else of the object.
JOIN_TRACE = """
LEFT JOIN LATERAL (
    SELECT traceparent FROM file_trace
    WHERE (source_id, object) = (f.source_id, f.object) AND version IN (f.version, '')
    ORDER BY version DESC LIMIT 1
) t ON true"""
