-- Whether these days have cascades, or had some when they were rolled up last.
SELECT
    (
        SELECT count()
        FROM cascade_confidences
        WHERE project = {project:String} AND toStartOfDay(hour) IN {days:Array(DateTime('UTC'))}
    )
    + (
        SELECT count()
        FROM cascade_confidence_days
        WHERE project = {project:String} AND hour IN {days:Array(DateTime('UTC'))}
    ) AS rows
