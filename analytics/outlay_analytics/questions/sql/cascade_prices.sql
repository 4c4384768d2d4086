-- Question: what do these price lists say about these models?
-- Parameters: versions and models (`provider:model`), in pairs; end.
-- Result: the newest price row of each: USD per million tokens by part.
SELECT
    p.price_version AS version,
    concat(p.provider, ':', p.model) AS listed,
    p.input_usd_per_mtok AS input,
    p.cache_read_usd_per_mtok AS read,
    p.cache_write_usd_per_mtok AS write,
    p.cache_write_1h_usd_per_mtok AS write_1h,
    p.output_usd_per_mtok AS output
FROM prices AS p
WHERE (p.price_version, concat(p.provider, ':', p.model)) IN arrayZip({versions:Array(String)}, {models:Array(String)})
  AND p.service_tier IN ('', 'standard')
  AND p.min_input_tokens = 0
  AND p.hours = ''
  AND p.valid_from < toDateTime64({end:String}, 9, 'UTC')
ORDER BY p.valid_from DESC
LIMIT 1 BY version, listed
