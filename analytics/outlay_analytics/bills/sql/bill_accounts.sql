-- Question: how did the pulls of each account go, and what is in force?
-- Parameters: project, today (UTC).
-- Result: one row per account: its last pull, when the last one and the last whole one was done (NULL: never), how many
-- failed since, the days in force with what they bill in USD, and what the present day bills so far.
WITH
    pulled AS (
        SELECT
            b.account AS account,
            argMax(b.state, b.started_at) AS state,
            argMax(b.error, b.started_at) AS error,
            argMax(b.retry_at, b.started_at) AS retry_at,
            max(b.started_at) AS tried_at,
            maxIf(b.started_at, b.state = 'done') AS last_done,
            maxIf(b.started_at, b.state = 'done' AND b.whole) AS last_whole,
            argMaxIf(b.notes, b.started_at, b.state = 'done' AND b.whole) AS notes,
            argMaxIf(b.left_out, b.started_at, b.state = 'done' AND b.whole) AS left_out,
            argMaxIf(b.left_out_lines, b.started_at, b.state = 'done' AND b.whole) AS left_out_lines,
            argMaxIf(b.pages, b.started_at, b.state = 'done' AND b.whole) AS pages,
            groupArray((b.started_at, b.state)) AS attempts
        FROM bill_pulls AS b
        WHERE b.project = {project:String}
        GROUP BY b.account
    ),
    in_force AS (
        SELECT
            account,
            min(day) AS first_day,
            max(day) AS last_day,
            count() AS days,
            sum(arraySum(charges.usd)) AS billed_usd,
            sumIf(arraySum(charges.usd), day = {today:Date}) AS today_usd,
            sum(length(charges)) AS lines
        FROM bill_days FINAL
        WHERE project = {project:String}
          AND notEmpty(pages)
        GROUP BY account
    )
SELECT
    p.account AS account,
    p.state AS state,
    p.error AS error,
    p.retry_at AS retry_at,
    p.tried_at AS tried_at,
    if(p.last_done = toDateTime64(0, 3, 'UTC'), NULL, p.last_done) AS done_at,
    if(p.last_whole = toDateTime64(0, 3, 'UTC'), NULL, p.last_whole) AS whole_at,
    arrayCount(one -> one.2 = 'failed' AND one.1 > p.last_done, p.attempts) AS failures,
    p.notes AS notes,
    p.left_out AS left_out,
    p.left_out_lines AS left_out_lines,
    p.pages AS pages,
    if(f.days > 0, f.first_day, NULL) AS first_day,
    if(f.days > 0, f.last_day, NULL) AS last_day,
    if(f.days > 0, f.billed_usd, NULL) AS billed_usd,
    if(f.last_day >= {today:Date}, f.today_usd, NULL) AS today_usd,
    f.days AS days,
    f.lines AS lines
FROM pulled AS p
LEFT JOIN in_force AS f ON f.account = p.account
ORDER BY account
