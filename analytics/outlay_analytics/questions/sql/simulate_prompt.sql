-- A change of what is simulated: a part of the prompt, or all of it where none is named, is shorter by a share.
-- What the provider's cache reads and writes shrinks with the input.
-- Fragments: source, n. Parameters: part_n (empty for all), share_n, in millionths.
SELECT * EXCEPT (dropped, stays) REPLACE (
    stays AS input_tokens,
    toUInt64(intDiv(s.cache_read_tokens * stays, greatest(s.input_tokens, toUInt64(1)))) AS cache_read_tokens,
    toUInt64(intDiv(s.cache_write_tokens * stays, greatest(s.input_tokens, toUInt64(1)))) AS cache_write_tokens,
    toUInt64(intDiv(s.cache_write_1h_tokens * stays, greatest(s.input_tokens, toUInt64(1)))) AS cache_write_1h_tokens,
    mapApply(
        (part, tokens) -> (
            part,
            toUInt64(if(
                {part_$n:String} IN ('', part), tokens - intDiv(tokens * toUInt64({share_$n:UInt32}), 1000000), tokens
            ))
        ),
        s.prompt_parts
    ) AS prompt_parts,
    toUInt8(s.touched OR ifNull(dropped, 0) > 0) AS touched
)
FROM
(
    SELECT *, toUInt64(input_tokens - dropped) AS stays
    FROM
    (
        SELECT
            *,
            toUInt64(least(
                input_tokens,
                toUInt64(intDiv(
                    if({part_$n:String} = '', input_tokens, toNullable(prompt_parts[{part_$n:String}]))
                        * toUInt64({share_$n:UInt32}),
                    1000000
                ))
            )) AS dropped
        FROM ($source)
    )
) AS s
