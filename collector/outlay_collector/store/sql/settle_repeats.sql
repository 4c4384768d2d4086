-- Write the spans that speak of a request another span stands for, with tombstones.
INSERT INTO repeats
WITH
written AS (
    SELECT trace
    FROM settle_traces
    WHERE write
),
repeating AS (
    SELECT
        m.id AS id,
        multiIf(c.reason != '', c.reason, p.reason = 'raw_child', 'same_request', p.reason != '', p.reason, 'same_response') AS reason,
        m.winner AS winner
    FROM (SELECT id, winner FROM settle_members WHERE id != winner) AS m
    LEFT ANY JOIN settle_links AS c ON m.id = c.child
    LEFT ANY JOIN settle_links AS p ON m.id = p.parent
    UNION ALL
    SELECT
        id,
        'repeats_descendants' AS reason,
        0 AS winner
    FROM settle_sums
    WHERE aggregate AND (NOT surplus OR filled != 0)
),
-- In the order of the spans: rows that come sorted are cheap to store.
found AS (
    SELECT
        s.project AS project,
        s.trace_id AS trace_id,
        s.span_id AS span_id,
        s.started_at AS started_at,
        r.reason AS reason,
        w.trace_id AS of_trace_id,
        w.span_id AS of_span_id,
        s.response_id AS response_id,
        s.dialect AS dialect
    FROM settle_spans AS s
    INNER JOIN repeating AS r ON s.id = r.id
    LEFT ANY JOIN settle_requests AS w ON r.winner = w.id
    WHERE s.trace IN (SELECT trace FROM written)
)
SELECT
    *,
    {version:UInt64} AS version,
    0 AS is_deleted
FROM found
-- What is no more:
UNION ALL
SELECT
    * REPLACE ({version:UInt64} AS version, 1 AS is_deleted)
FROM
(
    SELECT *
    FROM repeats FINAL
    WHERE (project, toStartOfHour(started_at), trace_id, span_id) IN (SELECT project, toStartOfHour(started_at), trace_id, span_id FROM settle_spans)
)
WHERE sipHash64(project, trace_id) IN (SELECT trace FROM written)
    AND (project, trace_id, span_id, toStartOfHour(started_at)) NOT IN (SELECT project, trace_id, span_id, toStartOfHour(started_at) FROM found)
