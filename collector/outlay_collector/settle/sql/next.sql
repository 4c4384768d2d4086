-- How far the next run goes, by loader: whole batches in the order they were loaded, as many as fit into one run.
-- waiting is what no run has settled yet; more says that there is more of it than fits.
SELECT
    loader,
    maxIf(seq, fits) AS upto,
    max(NOT fits) AS more
FROM
(
    SELECT
        loader,
        seq,
        row_number() OVER (ORDER BY loader, seq) = 1
            OR (sum(batch_spans) OVER (ORDER BY loader, seq) <= {max_spans:UInt64} AND sum(batch_traces) OVER (ORDER BY loader, seq) <= {max_traces:UInt64}) AS fits
    FROM
    (
        SELECT
            loader,
            seq,
            sum(spans) AS batch_spans,
            count() AS batch_traces
        FROM dirty_traces
        WHERE $waiting
        GROUP BY loader, seq
    )
)
GROUP BY loader
