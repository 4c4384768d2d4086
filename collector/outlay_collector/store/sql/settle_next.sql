-- The next changed traces, in the order they were loaded: whole batches of a loader, as many as fit into one run.
WITH waiting AS (
    SELECT
        d.loader AS loader,
        d.seq AS seq,
        d.project AS project,
        d.trace_id AS trace_id,
        d.spans AS spans
    FROM dirty_traces AS d
    LEFT JOIN (SELECT loader, max(seq) AS seq FROM settle_progress GROUP BY loader) AS p ON d.loader = p.loader
    WHERE d.seq > p.seq
),
batches AS (
    SELECT
        loader,
        seq,
        sum(spans) AS batch_spans,
        count() AS batch_traces
    FROM waiting
    GROUP BY loader, seq
),
chosen AS (
    SELECT
        loader,
        seq
    FROM
    (
        SELECT
            loader,
            seq,
            row_number() OVER (ORDER BY loader, seq) AS n,
            sum(batch_spans) OVER (ORDER BY loader, seq) AS spans_so_far,
            sum(batch_traces) OVER (ORDER BY loader, seq) AS traces_so_far
        FROM batches
    )
    WHERE n = 1 OR (spans_so_far <= {max_spans:UInt64} AND traces_so_far <= {max_traces:UInt64})
)
SELECT DISTINCT
    loader,
    seq,
    project,
    trace_id
FROM waiting
WHERE (loader, seq) IN (SELECT loader, seq FROM chosen)
