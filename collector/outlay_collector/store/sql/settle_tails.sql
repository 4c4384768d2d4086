-- Usage that a library reports in a span of its own when the stream has ended, joined to the span that opened it: in
-- order, within a trace, scope and model.
INSERT INTO settle_links
SELECT
    tail.id AS child,
    head.id AS parent,
    'stream_usage' AS reason
FROM
(
    SELECT
        *,
        row_number() OVER (PARTITION BY project, trace_id, scope_name, request_model ORDER BY began_at, id) AS n
    FROM (SELECT *, started_at - toIntervalMicrosecond(toInt64(ifNull(tail_s, 0) * 1000000)) AS began_at FROM settle_usage WHERE usage_role = 4)
) AS tail
INNER JOIN
(
    SELECT
        *,
        row_number() OVER (PARTITION BY project, trace_id, scope_name, request_model ORDER BY ended_at, id) AS n
    FROM settle_usage
    WHERE usage_role = 1 AND NOT has_usage AND NOT failed
        AND (project, trace_id, scope_name, request_model) IN (SELECT project, trace_id, scope_name, request_model FROM settle_usage WHERE usage_role = 4)
) AS head
ON tail.project = head.project AND tail.trace_id = head.trace_id AND tail.scope_name = head.scope_name AND tail.request_model = head.request_model AND tail.n = head.n
