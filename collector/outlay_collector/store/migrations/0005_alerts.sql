-- Budgets, what became of them, and what was said about it. Small tables, rewritten by key; read with FINAL.

CREATE TABLE IF NOT EXISTS budgets
(
    project LowCardinality(String) COMMENT 'Project',
    name String COMMENT 'Name, as in /budgets/{name}',
    amount_usd Decimal(38, 12) COMMENT 'Amount per period',
    period LowCardinality(String) COMMENT 'day, week or month',
    scope Map(String, Array(String)) COMMENT 'Filters: dimension to the values that count, empty = all spend',
    timezone LowCardinality(String) COMMENT 'Zone in which the period begins',
    notify Array(String) COMMENT 'Names or addresses of channels',
    updated_at DateTime64(6, 'UTC') COMMENT 'When it was last put; the newest row wins',
    is_deleted UInt8 COMMENT '1 = deleted'
)
ENGINE = ReplacingMergeTree(updated_at, is_deleted)
ORDER BY (project, name)
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS alerts
(
    project LowCardinality(String) COMMENT 'Project',
    alert_id String COMMENT 'Of one occurrence: pending, firing, then resolved',
    fingerprint String COMMENT 'Of what is watched: the same for every occurrence of a rule on a budget or anomaly scope',
    rule LowCardinality(String) COMMENT 'over_budget, projected_over_budget, above_projection, burn_rate, anomaly, evaluation_failed',
    severity LowCardinality(String) COMMENT 'warning or critical',
    budget String COMMENT 'Name of the budget, empty for other rules',
    scope Map(String, Array(String)) COMMENT 'Filters of what is watched',
    state LowCardinality(String) COMMENT 'pending, firing or resolved',
    reason String COMMENT 'Why it is in this state, with the figures',
    actual_usd Nullable(Decimal(38, 12)) COMMENT 'What was spent or is projected, at the last evaluation',
    expected_usd Nullable(Decimal(38, 12)) COMMENT 'What it is compared with',
    drivers String COMMENT 'JSON list of {driver, usd}: what moved the spend, largest first',
    sentences Array(String) COMMENT 'The explanation in words, when it fired',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the time it speaks of',
    window_end DateTime64(6, 'UTC') COMMENT 'End of the time it speaks of',
    streak Int32 COMMENT 'Evaluations in a row that found it, negative: that did not',
    started_at DateTime64(6, 'UTC') COMMENT 'When the condition was first seen',
    fired_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it began to fire',
    resolved_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was resolved',
    evaluated_at DateTime64(6, 'UTC') COMMENT 'Last evaluation',
    notified_at Nullable(DateTime64(6, 'UTC')) COMMENT 'Last intent to send',
    notified_state LowCardinality(String) COMMENT 'State and severity that intent spoke of, for example firing:critical',
    notify Array(String) COMMENT 'Channels',
    version UInt64 COMMENT 'Newest row of an alert_id wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (project, alert_id)
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS silences
(
    project LowCardinality(String) COMMENT 'Project',
    fingerprint String COMMENT 'What is silenced, over its occurrences',
    until DateTime64(6, 'UTC') COMMENT 'Until when',
    comment String COMMENT 'Why',
    created_by String COMMENT 'Who',
    created_at DateTime64(6, 'UTC') COMMENT 'The newest row of a fingerprint wins'
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY (project, fingerprint)
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS acknowledgements
(
    project LowCardinality(String) COMMENT 'Project',
    alert_id String COMMENT 'The occurrence that somebody is on: it is not told again',
    acknowledged_by String COMMENT 'Who',
    acknowledged_at DateTime64(6, 'UTC') COMMENT 'Since when'
)
ENGINE = ReplacingMergeTree(acknowledged_at)
ORDER BY (project, alert_id)
SETTINGS $durable;

-- One row per message and channel. Written before the message is sent, so that a crash sends it again rather than never.
CREATE TABLE IF NOT EXISTS notifications
(
    project LowCardinality(String) COMMENT 'Project',
    notification_id String COMMENT 'Hash of group, state, channel and time of the intent',
    group_key String COMMENT 'What the message is about: a budget or an anomaly scope',
    channel String COMMENT 'Name or address of the channel, as in notify',
    message String COMMENT 'JSON of the message' CODEC(ZSTD(1)),
    state LowCardinality(String) COMMENT 'intent, sent or failed',
    attempts UInt32 COMMENT 'Tries so far',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was intended',
    next_attempt_at DateTime64(6, 'UTC') COMMENT 'Not before',
    sent_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When the receiver accepted it',
    error String COMMENT 'Why the last try failed',
    version UInt64 COMMENT 'Newest row wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (project, notification_id)
TTL toDateTime(created_at) + INTERVAL 400 DAY
SETTINGS $durable;
