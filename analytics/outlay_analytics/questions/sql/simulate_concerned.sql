-- The calls that changes concern, as price.sql wants them: counts as they are stored.
-- Fragments: source (with all changes).
SELECT * EXCEPT (touched) REPLACE (
    CAST(s.input_tokens, 'Nullable(UInt64)') AS input_tokens,
    CAST(s.cache_read_tokens, 'Nullable(UInt64)') AS cache_read_tokens,
    CAST(s.cache_write_tokens, 'Nullable(UInt64)') AS cache_write_tokens,
    CAST(s.cache_write_1h_tokens, 'Nullable(UInt64)') AS cache_write_1h_tokens,
    CAST(s.output_tokens, 'Nullable(UInt64)') AS output_tokens,
    CAST(s.reasoning_tokens, 'Nullable(UInt64)') AS reasoning_tokens
)
FROM ($source) AS s
WHERE s.touched
