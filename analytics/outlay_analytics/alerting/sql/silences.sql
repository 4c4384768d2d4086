-- Question: until when is what silenced? Parameters: at DateTime64 (now). Result: project, fingerprint, until.
SELECT
    project,
    fingerprint,
    until
FROM silences FINAL
WHERE until > toDateTime64({at:String}, 6, 'UTC')
