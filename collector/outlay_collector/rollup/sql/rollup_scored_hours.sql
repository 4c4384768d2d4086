-- How many scored traces there are to rebuild, and between which hours their calls lie; a day on either side where nothing tells.
SELECT
    (SELECT count() FROM scored_traces) AS traces,
    least({first:DateTime('UTC')}, if(count() = 0, {first:DateTime('UTC')} - INTERVAL 1 DAY, min(h.first_hour))) AS first_hour,
    greatest({last:DateTime('UTC')}, if(count() = 0, {last:DateTime('UTC')} + INTERVAL 1 DAY, max(h.last_hour))) AS last_hour
FROM trace_hours AS h
WHERE h.project = {project:String} AND h.trace_id IN (SELECT trace_id FROM scored_traces)
