-- A change of what is simulated: calls that are hit go to another model, at the prices of {now}.
-- Fragments: source, hit (condition on s), only (1, or the hit again where other calls have no part in it), n (number of
-- the change). Parameters: now; model_n, keep_n (providers that sell it), seller_n (whose it is at all others).
SELECT * REPLACE (
    if($hit, if(s.provider IN {keep_$n:Array(String)}, s.provider, {seller_$n:String}), s.provider) AS provider,
    if($hit, {model_$n:String}, s.request_model) AS request_model,
    if($hit, '', s.response_model) AS response_model,
    if($hit, {model_$n:String}, s.model) AS model,
    if($hit, toDateTime64({now:String}, 9, 'UTC'), s.started_at) AS started_at,
    toUInt8(s.touched OR $hit) AS touched
)
FROM ($source) AS s
WHERE $only
