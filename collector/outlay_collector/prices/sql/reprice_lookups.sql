-- What the hits of the application's caches avoided, as the calls that stand for them say after a repricing.
INSERT INTO lookups
SELECT * EXCEPT (new_avoided_usd) REPLACE (new_avoided_usd AS avoided_usd, version + 1 AS version)
FROM
(
    SELECT l.*, r.cache_avoided_usd AS new_avoided_usd
    FROM
    (
        SELECT *
        FROM lookups FINAL
        WHERE (project, toStartOfHour(started_at), trace_id) IN
        (
            SELECT project, toStartOfHour(started_at), trace_id
            FROM repriced_calls
            WHERE cost_state = 'cached'
        ) AND hit
    ) AS l
    INNER JOIN repriced_calls AS r ON l.project = r.project AND l.trace_id = r.trace_id AND l.span_id = r.span_id
    WHERE r.cost_state = 'cached'
)
