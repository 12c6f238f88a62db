"""How far a source is complete: asked by the router, which tells of it, and by the runs, which write it on tables."""

from schemas.config.lanes import LANES

# The earliest landing of what is open of a source besides a batch; `b` has both, as `source_id` and `id`. A line is in
# the order of landing, within each rank: the first of each tells all.
OLDEST_OPEN = f"""least(
    (SELECT min(f.landed) FROM unnest('{{{",".join(LANES)}}}'::text[]) AS l (lane)
     CROSS JOIN (VALUES (0), (1)) AS r (rank) CROSS JOIN LATERAL (
        SELECT landed FROM file WHERE source_id = b.source_id AND lane = l.lane AND rank = r.rank
          AND batch_id IS NULL AND outcome IS NULL ORDER BY landed, object LIMIT 1) f),
    (SELECT min(o.landed) FROM batch o
     WHERE o.source_id = b.source_id AND o.ended IS NULL AND o.kind = 'load' AND o.id <> b.id),
    (SELECT min(a.landed) FROM arrival a WHERE a.source_id = b.source_id AND NOT a.quiet))"""  # noqa: S608 - of checked words
