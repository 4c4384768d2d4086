-- Usage that a library reports in a span of its own when the stream has ended, joined to the span that opened it. Both
-- lie in one trace, or are roots of two. In order of time within a burst: gaps of two seconds part the bursts.
INSERT INTO settle_links
WITH
events AS (
    SELECT
        id,
        usage_role = 4 AS is_tail,
        if(is_tail, began_at, ended_at) AS at,
        (project, if(rooted, '', trace_id), stream) AS burst_of
    FROM settle_usage
    WHERE stream != 0
),
gaps AS (
    SELECT
        *,
        at > max(at) OVER (PARTITION BY burst_of ORDER BY at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + toIntervalSecond(2) AS apart
    FROM events
),
bursts AS (
    SELECT
        *,
        sum(apart) OVER (PARTITION BY burst_of ORDER BY at, id) AS burst
    FROM gaps
),
numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY burst_of, burst, is_tail ORDER BY at, id) AS n
    FROM bursts
)
SELECT
    t.id AS child,
    h.id AS parent,
    'stream_usage' AS reason
FROM (SELECT * FROM numbered WHERE is_tail) AS t
INNER JOIN (SELECT * FROM numbered WHERE NOT is_tail) AS h ON t.burst_of = h.burst_of AND t.burst = h.burst AND t.n = h.n
