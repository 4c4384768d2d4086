-- Whether these hours have look-ups or calls that name a prompt, or had some when they were rolled up last; and whether the
-- project has scores.
SELECT
    (
        SELECT count()
        FROM lookups
        WHERE project = {project:String}
          AND started_at >= {first:DateTime('UTC')} AND started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
    )
    + (SELECT count() FROM lookup_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS lookups,
    (
        SELECT count()
        FROM
        (
            SELECT 1
            FROM calls
            WHERE project = {project:String}
              AND started_at >= {first:DateTime('UTC')} AND started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
              AND prompt != ''
            LIMIT 1
        )
    )
    + (SELECT count() FROM prompt_hourly WHERE project = {project:String} AND hour IN {hours:Array(DateTime('UTC'))}) AS prompts,
    (SELECT count() FROM (SELECT 1 FROM scores WHERE project = {project:String} LIMIT 1)) AS scores
