-- Chains that have a key (response id or fingerprint) in common with another chain: only these can be joined.
INSERT INTO settle_shared
WITH keyed AS (
    SELECT
        u.project AS project,
        arrayJoin(arrayFilter(x -> x != '', [u.response_id, u.fingerprint])) AS key,
        t.head AS head
    FROM settle_usage AS u
    INNER JOIN settle_tops AS t ON u.id = t.id
)
SELECT DISTINCT arrayJoin(heads) AS head
FROM
(
    SELECT groupUniqArray(head) AS heads
    FROM keyed
    GROUP BY project, key
    HAVING length(heads) > 1
)
