-- Rebuild hours of `prompt_hourly`, with a tombstone for every key that is no longer there.
-- Fragments: calls (store/sql/prompt_calls.sql), sums (of its columns), columns (their names), zeros (a row of it that adds nothing).
INSERT INTO prompt_hourly
(
    project, hour, prompt, prompt_version, provider, model, operation, service, environment, feature, team,
    $columns, parts, parts_tokens, first_at, last_at, version, is_deleted
)
SELECT
    {project:String} AS project,
    p.hour, p.prompt, p.prompt_version, p.provider, p.model, p.operation, p.service, p.environment, p.feature, p.team,
    $sums,
    tupleElement(sumMap(p.parts, p.parts_tokens) AS named, 1) AS parts,
    tupleElement(named, 2) AS parts_tokens,
    minIf(p.first_at, p.calls > 0) AS first_at,
    maxIf(p.last_at, p.calls > 0) AS last_at,
    {version:UInt64} AS version,
    sum(p.calls) = 0 AS is_deleted
FROM
(
    $calls
    UNION ALL
    SELECT
        hour, prompt, prompt_version, provider, model, operation, service, environment, feature, team,
        $zeros, [], [], toDateTime64(0, 9, 'UTC'), toDateTime64(0, 9, 'UTC')
    FROM prompt_hourly FINAL
    WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}
) AS p
GROUP BY p.hour, p.prompt, p.prompt_version, p.provider, p.model, p.operation, p.service, p.environment, p.feature, p.team
SETTINGS max_insert_threads = 1
