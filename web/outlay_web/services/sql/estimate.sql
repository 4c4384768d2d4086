-- Question: what would these calls cost? The source of `PriceBook.price_select`, over the temporary table of the asker.
-- Result: one row per call in the order of n, in the columns that pricing wants.
SELECT
    n,
    {project:String} AS project,
    provider,
    model AS request_model,
    '' AS response_model,
    service_tier,
    region,
    at AS started_at,
    input_tokens,
    cache_read_tokens,
    cache_write_tokens,
    cache_write_1h_tokens,
    output_tokens,
    reasoning_tokens,
    mapFromArrays(other_names, other_counts) AS other_usage,
    '' AS state_hint
FROM estimate_calls
