-- Question: what is to be moved where histograms of whole days are taken to be of the interval that their noon lies in?
-- Fragments: time (of the hour), noon (of its day's noon), dimensions, hours, filters as in source_hours.sql; keys (`, d0` …).
-- Result: as source_histograms.sql, of the hours that lie in another interval than their day's noon, taken together: each
-- bucket twice, added to the hours' interval, and with sign -1 taken from noon's.
(
    SELECT
        moved.1 AS time$keys,
        [one_bucket] AS buckets,
        [total] AS counts,
        moved.2 AS sign
    FROM
    (
        SELECT
            $time AS hours_time,
            $noon AS noon_time,
            $dimensions
            one_bucket,
            sum(one_count) AS total
        FROM latency_hours AS h FINAL
        ARRAY JOIN
            h.buckets AS one_bucket,
            h.counts AS one_count
        PREWHERE h.project = {project:String}
          AND $hours
          AND $time != $noon
          AND ($filters)
        GROUP BY hours_time, noon_time$keys, one_bucket
    )
    ARRAY JOIN [(hours_time, toInt8(1)), (noon_time, toInt8(-1))] AS moved
)
