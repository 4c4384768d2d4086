-- A change of what is simulated: answers end after so many tokens.
-- Fragments: source, n. Parameters: most_n.
SELECT * REPLACE (
    toUInt64(least(s.output_tokens, toUInt64({most_$n:UInt64}))) AS output_tokens,
    toUInt64(least(s.reasoning_tokens, toUInt64({most_$n:UInt64}))) AS reasoning_tokens,
    toUInt8(s.touched OR ifNull(s.output_tokens, 0) > {most_$n:UInt64}) AS touched
)
FROM ($source) AS s
