-- Question: when were earlier occurrences of these things evaluated last? Parameters: projects, fingerprints Array(String).
-- Result: project, fingerprint, last_at.
SELECT
    project,
    fingerprint,
    max(evaluated_at) AS last_at
FROM alerts
WHERE project IN {projects:Array(String)} AND fingerprint IN {fingerprints:Array(String)}
GROUP BY project, fingerprint
