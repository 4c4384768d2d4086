-- Question: which histograms of durations do the clean hours or days hold?
-- Fragments: table (latency_hourly, latency_daily, dimension_daily), time, dimensions, hours, filters as in source_hours.sql.
-- Result: one row per rollup key: time, d0 …, buckets and counts.
(
    SELECT
        $time AS time,
        $dimensions
        h.buckets AS buckets,
        h.counts AS counts
    FROM $table AS h FINAL
    WHERE h.project = {project:String}
      AND $hours
      AND ($filters)
)
