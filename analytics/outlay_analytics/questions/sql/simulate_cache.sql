-- A change of what is simulated: another share of the input is read from the provider's cache. What is read is not written.
-- Fragments: source, n. Parameters: ratio_n, in millionths.
SELECT * EXCEPT (reads) REPLACE (
    reads AS cache_read_tokens,
    toUInt64(least(s.cache_write_tokens, toUInt64(s.input_tokens - reads))) AS cache_write_tokens,
    toUInt64(least(s.cache_write_1h_tokens, toUInt64(s.input_tokens - reads))) AS cache_write_1h_tokens,
    toUInt8(s.touched OR ifNull(s.input_tokens, 0) > 0) AS touched
)
FROM
(
    SELECT *, toUInt64(intDiv(input_tokens * toUInt64({ratio_$n:UInt32}), 1000000)) AS reads
    FROM ($source)
) AS s
