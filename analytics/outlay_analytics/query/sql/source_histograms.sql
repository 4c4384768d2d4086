-- Question: which histograms of durations do the clean hours or days hold?
-- Fragments: table (latency_hours, latency_daily, dimension_daily), time, dimensions, hours, filters as in source_hours.sql.
-- Result: one row per rollup key: time, d0 …, buckets and counts, sign (1: they are added).
(
    SELECT
        $time AS time,
        $dimensions
        h.buckets AS buckets,
        h.counts AS counts,
        toInt8(1) AS sign
    FROM $table AS h FINAL
    PREWHERE h.project = {project:String}
      AND $hours
      AND ($filters)
)
