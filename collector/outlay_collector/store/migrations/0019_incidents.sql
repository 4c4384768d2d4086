-- Incidents as they were last seen, what became of them, and what was changed when. Small tables; read with FINAL.

-- shard: everywhere
CREATE TABLE IF NOT EXISTS incidents
(
    project LowCardinality(String) COMMENT 'Project',
    incident_id String COMMENT 'Given when it was first seen; the same for good',
    scope Map(String, String) COMMENT 'Dimension to value: the narrowest part of spend that holds it; empty = all spend',
    channel LowCardinality(String) COMMENT 'What was seen to move: spend, cost_per_call …',
    fingerprint String COMMENT 'Of what its alert watches, from its scope and channel when it was first seen',
    started_at DateTime64(6, 'UTC') COMMENT 'Start of its first hour',
    ended_at DateTime64(6, 'UTC') COMMENT 'End of its last hour; of the newest one while it goes on',
    ongoing Bool COMMENT 'Whether it went on when it was last looked at',
    actual_usd Decimal(38, 12) COMMENT 'Spent in its hours',
    expected_usd Decimal(38, 12) COMMENT 'What was expected of them',
    impact_lo_usd Decimal(38, 12) COMMENT 'Lower bound (80%) of what is above expected',
    impact_hi_usd Decimal(38, 12) COMMENT 'Upper bound',
    score Float64 COMMENT '0 to 1; at least 0.5 alerts',
    cause String COMMENT 'What happened, in words',
    drivers String COMMENT 'JSON list of {driver, usd}, largest first; they add up to actual minus expected',
    sentences Array(String) COMMENT 'Why, in words',
    parts String COMMENT 'JSON list of the series that moved together; empty list for one alone',
    slice String COMMENT 'JSON {where, change_usd, share}: the smallest part of traffic that carries it; null where none does',
    examples Array(String) COMMENT 'Trace ids that show it',
    changes String COMMENT 'JSON list of {at, kind, name}: prompt versions, models and deployments new around its start',
    seen_at DateTime64(6, 'UTC') COMMENT 'When it was first seen',
    updated_at DateTime64(6, 'UTC') COMMENT 'When these figures were found; the newest row wins'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (project, incident_id)
SETTINGS $durable;

-- shard: everywhere
CREATE TABLE IF NOT EXISTS incident_events
(
    project LowCardinality(String) COMMENT 'Project',
    incident_id String COMMENT 'Incident',
    at DateTime64(6, 'UTC') COMMENT 'When it happened',
    kind LowCardinality(String) COMMENT 'opened, ended, reopened (by Outlay); acknowledged, resolved, reopened, owner, note (by people)',
    by String COMMENT 'Who, empty for Outlay',
    text String COMMENT 'The note, the owner, or the figures at that moment'
)
ENGINE = ReplacingMergeTree
ORDER BY (project, incident_id, at, kind, text)
SETTINGS $durable;

-- shard: everywhere
CREATE TABLE IF NOT EXISTS markers
(
    project LowCardinality(String) COMMENT 'Project',
    marker_id String COMMENT 'Identifier',
    at DateTime64(6, 'UTC') COMMENT 'When what it names happened',
    name String COMMENT 'What happened: deploy 2026.11.3, prompt triage v15',
    scope Map(String, Array(String)) COMMENT 'Filters of what it concerns, empty = everything',
    created_by String COMMENT 'Who put it',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was put; the newest row wins',
    is_deleted UInt8 COMMENT '1 = deleted'
)
ENGINE = ReplacingMergeTree(created_at, is_deleted)
ORDER BY (project, marker_id)
SETTINGS $durable;
