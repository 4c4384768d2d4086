-- Which alerts are told together, and which two windows an alert's sentences compare: message, link and page agree.

ALTER TABLE alerts
    ADD COLUMN IF NOT EXISTS group_key String
        DEFAULT if(budget != '', concat(project, '/budget:', budget), concat(project, '/', fingerprint))
        COMMENT 'The alert that opened the group in which it is told' AFTER fingerprint,
    ADD COLUMN IF NOT EXISTS explained_start Nullable(DateTime64(6, 'UTC'))
        COMMENT 'Start of the time that drivers and sentences speak of, NULL before they were made' AFTER sentences,
    ADD COLUMN IF NOT EXISTS explained_end Nullable(DateTime64(6, 'UTC'))
        COMMENT 'End of that time' AFTER explained_start,
    ADD COLUMN IF NOT EXISTS base_start Nullable(DateTime64(6, 'UTC'))
        COMMENT 'Start of what it is compared with, NULL where nothing comparable was recorded' AFTER explained_end,
    ADD COLUMN IF NOT EXISTS base_end Nullable(DateTime64(6, 'UTC'))
        COMMENT 'End of what it is compared with' AFTER base_start;
