-- Where a giant trace changed: its new spans, and those that share a response with what was read before.
INSERT INTO settle_touched
SELECT DISTINCT
    g.id AS id,
    {step:UInt8} AS step,
    0 AS depth,
    1 AS is_read
FROM settle_giant AS g
LEFT JOIN (SELECT project, trace_id, since FROM settle_traces WHERE round = {round:UInt8}) AS t ON g.project = t.project AND g.trace_id = t.trace_id
WHERE ((t.trace_id != '' AND g.received_at >= t.since) OR (g.project, g.trace_id, g.span_id) IN (SELECT project, trace_id, span_id FROM settle_partners WHERE round = {round:UInt8}))
    AND g.id NOT IN (SELECT id FROM settle_spans)
