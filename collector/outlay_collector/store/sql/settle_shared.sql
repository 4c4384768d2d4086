-- Chains that may be one request: they have a key (response id or fingerprint) in common with another chain that is near
-- in time, no further apart than the longest of them lasts, and 5 s.
INSERT INTO settle_shared
WITH chains AS (
    SELECT
        arrayJoin(arrayFilter(x -> x != 0, [u.response_key, u.fingerprint])) AS key,
        t.head AS head,
        min(u.started_at) AS began_at,
        max(u.ended_at) AS ended_at
    FROM settle_usage AS u
    INNER JOIN settle_tops AS t ON u.id = t.id
    GROUP BY key, head
)
SELECT DISTINCT arrayJoin(heads) AS head
FROM
(
    SELECT
        groupArray(head) AS heads,
        arraySort(groupArray(toUnixTimestamp64Nano(began_at))) AS began,
        max(toUnixTimestamp64Nano(ended_at) - toUnixTimestamp64Nano(began_at)) AS longest
    FROM chains
    GROUP BY key
    HAVING length(heads) > 1 AND arrayMin(arrayPopFront(arrayDifference(began))) <= longest + 5000000000
)
