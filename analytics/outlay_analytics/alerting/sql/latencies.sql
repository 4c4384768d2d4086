-- Question: what is the 95th percentile of latency in the windows that end at some instants?
-- Fragments: source (see spend_source.py) with latency, ends (as of entities.sql), p95 (of spend.py). Parameters: those of both.
-- Result: end (Unix seconds), calls, p95_ms.
SELECT
    arrayJoin($ends) AS end,
    sum(source.calls) AS calls,
    $p95 AS p95_ms
FROM $source AS source
GROUP BY end
