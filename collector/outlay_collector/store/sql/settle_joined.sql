-- Chains that share a key (key: a response id, or a fingerprint of counts where one side has no id): one request, if a
-- different instrumentation saw it at the same time ({slack_s} seconds apart at most), the models agree and the counts do
-- not contradict. The same scope twice is two requests: gateways repeat ids.
INSERT INTO settle_joined
WITH
chains AS (
    SELECT
        t.head AS head,
        max(u.response_key != 0) AS with_id,
        $key AS key,
        min(u.started_at) AS started_at,
        max(u.ended_at) AS ended_at,
        argMin(u.scope_name, u.id != t.head) AS scope_name,
        argMinIf(u.input_tokens, u.estimated * 256 + u.rank, u.input_tokens IS NOT NULL) AS input_tokens,
        argMinIf(u.output_tokens, u.estimated * 256 + u.rank, u.output_tokens IS NOT NULL) AS output_tokens,
        argMinIf(u.request_model, u.rank, u.request_model != '') AS request_model,
        argMinIf(u.response_model, u.rank, u.response_model != '') AS response_model,
        min((u.rank, u.trace_id, u.span_id)) AS precedence
    FROM settle_usage AS u
    INNER JOIN settle_tops AS t ON u.id = t.id
    WHERE NOT u.cached AND $which AND t.head IN (SELECT head FROM settle_shared)
    GROUP BY t.head
    HAVING key != 0
),
shared AS (
    SELECT *
    FROM chains
    WHERE key IN (SELECT key FROM chains GROUP BY key HAVING count() > 1)
),
timed AS (
    SELECT
        *,
        started_at > max(ended_at) OVER (PARTITION BY key ORDER BY started_at, precedence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + toIntervalSecond({slack_s:UInt8}) AS apart
    FROM shared
),
clustered AS (
    SELECT
        *,
        sum(apart) OVER (PARTITION BY key ORDER BY started_at, precedence) AS cluster
    FROM timed
),
numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY key, cluster, scope_name ORDER BY started_at, precedence) AS n
    FROM clustered
),
winners AS (
    SELECT
        key,
        cluster,
        n,
        count() AS chains,
        argMin(head, precedence) AS winner,
        argMin(with_id, precedence) AS w_with_id,
        argMin(started_at, precedence) AS w_started_at,
        argMin(ended_at, precedence) AS w_ended_at,
        argMin(input_tokens, precedence) AS w_input_tokens,
        argMin(output_tokens, precedence) AS w_output_tokens,
        argMin(request_model, precedence) AS w_request_model,
        argMin(response_model, precedence) AS w_response_model
    FROM numbered
    GROUP BY key, cluster, n
),
judged AS (
    SELECT
        m.head AS head,
        w.winner AS winner,
        w.chains AS chains,
        m.started_at <= w.w_ended_at + toIntervalSecond({slack_s:UInt8}) AND w.w_started_at <= m.ended_at + toIntervalSecond({slack_s:UInt8})
            AND $chains_agree
            AND $ids_agree
            AND NOT (ifNull(m.input_tokens != w.w_input_tokens, false) AND ifNull(m.output_tokens != w.w_output_tokens, false)) AS fits
    FROM numbered AS m
    INNER JOIN winners AS w ON m.key = w.key AND m.cluster = w.cluster AND m.n = w.n
)
SELECT
    head,
    if(fits, winner, head) AS into_head,
    $flagged AND max(NOT fits) OVER (PARTITION BY winner) AS conflict
FROM judged
WHERE chains > 1
