-- Who may send and read: keys by their hash, and logins to the pages. The newest row of a key or login wins.

CREATE TABLE IF NOT EXISTS ingest_keys
(
    prefix String COMMENT 'Start of the key, shown in lists',
    sha256 String COMMENT 'Hex SHA-256 of the whole key; the key itself is nowhere',
    project LowCardinality(String) COMMENT 'Project its spans go to and its reads come from',
    role LowCardinality(String) COMMENT 'ingest: send only; project: send and read its project; admin: everything',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was created',
    revoked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was revoked, NULL while it is live',
    last_used_at Nullable(DateTime64(3, 'UTC')) COMMENT 'About when it was last used, NULL if never',
    changed_at DateTime64(6, 'UTC') COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(changed_at)
ORDER BY prefix
SETTINGS $durable;

CREATE TABLE IF NOT EXISTS sessions
(
    sha256 String COMMENT 'Hex SHA-256 of the cookie',
    created_at DateTime64(3, 'UTC') COMMENT 'When the login was',
    expires_at DateTime64(3, 'UTC') COMMENT 'When it ends by itself',
    revoked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When somebody logged out, NULL while it is live',
    changed_at DateTime64(6, 'UTC') COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(changed_at)
ORDER BY sha256
TTL toDateTime(expires_at) + INTERVAL 7 DAY
SETTINGS $durable;
