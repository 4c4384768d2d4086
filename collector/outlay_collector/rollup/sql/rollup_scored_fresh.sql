-- The scored answers of these traces as they are now, as rows of scored_answers.
-- Fragments: answers (store/sql/scored_answers.sql), copied (columns of c that they keep). Parameters: those of the answers,
-- first_hour, last_hour, version.
SELECT
    {project:String} AS project,
    toStartOfHour(r.at) AS hour,
    r.name AS name,
    sipHash64(r.trace_id) AS trace,
    sipHash64(r.about) AS about,
    r.value AS value,
    r.label AS label,
    r.cost_usd AS cost_usd,
    r.paid_for AS paid_for,
    r.paid_part AS paid_part,
    r.paid_calls AS paid_calls,
    count() OVER (PARTITION BY r.name, r.paid_for) = 1 AS alone,
    $copied,
    {version:UInt64} AS version,
    toUInt8(0) AS is_deleted
FROM calls AS c FINAL
INNER JOIN ($answers) AS r ON c.trace_id = r.trace_id AND c.span_id = r.span_id AND c.n = r.n AND c.started_at = r.at
WHERE c.project = {project:String}
  AND c.started_at >= {first_hour:DateTime('UTC')} AND c.started_at < {last_hour:DateTime('UTC')} + INTERVAL 1 HOUR
  AND c.trace_id IN (SELECT trace_id FROM scored_traces)
