-- The tags of a day, those of most calls first: key, and how many values there are, calls without it among them.
SELECT key, uniq(value) + 1 AS distinct_values
FROM
(
    SELECT toString(tag.1) AS key, tag.2 AS value
    FROM calls
    ARRAY JOIN CAST(tags, 'Array(Tuple(String, String))') AS tag
    WHERE project = {project:String}
      AND started_at >= {day:DateTime('UTC')} AND started_at < {day:DateTime('UTC')} + INTERVAL 1 DAY
)
WHERE key != '' AND value != ''
GROUP BY key
ORDER BY count() DESC, key
LIMIT {limit:UInt32}
