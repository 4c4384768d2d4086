-- A span that speaks of usage under another: are they one request? Score, highest first:
-- 9 raw restatement · 8 same response id · 6 same input · 5 same output · 4 only the child has counts ·
-- 3 only the parent has counts · 2 neither has, both ended alike · 0 different requests.
INSERT INTO settle_pairs
SELECT
    c.id AS child,
    p.id AS parent,
    toUInt8(multiIf(
        p.usage_role != 1 OR c.usage_role NOT IN (1, 3) OR p.cached OR c.cached, 0,
        c.usage_role = 3, 9,
        c.response_key != 0 AND c.response_key = p.response_key, 8,
        conflict, 0,
        NOT $models_agree, 0,
        p.has_usage AND c.has_usage, multiIf(ifNull(p.input_tokens = c.input_tokens, false), 6, ifNull(p.output_tokens = c.output_tokens AND c.output_tokens > 0, false), 5, 0),
        c.has_usage, 4,
        p.has_usage, if(c.failed, 0, 3),
        p.failed OR NOT c.failed, 2,
        0
    )) AS score,
    c.usage_role != 3 AND c.response_key != 0 AND p.response_key != 0 AND c.response_key != p.response_key AS conflict,
    c.started_at AS started_at
FROM settle_usage AS c
INNER JOIN settle_usage AS p ON c.above = p.id
