-- Question: at which price was the top tier of a cascade last charged?
-- Fragments: filters. Parameters: project, start, end, name, tier.
-- Result: the newest price row of the newest priced attempt's model and price list: USD per million tokens by part.
SELECT
    p.input_usd_per_mtok AS input,
    p.cache_read_usd_per_mtok AS read,
    p.cache_write_usd_per_mtok AS write,
    p.cache_write_1h_usd_per_mtok AS write_1h,
    p.output_usd_per_mtok AS output
FROM prices AS p
WHERE (p.price_version, concat(p.provider, ':', p.model)) IN
(
    SELECT c.price_version, c.matched_model
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.cascade_name = {name:String}
      AND c.cascade_tier = {tier:UInt16}
      AND c.matched_model != ''
      AND c.cost_usd > 0
      AND ($filters)
    ORDER BY c.started_at DESC
    LIMIT 1
)
  AND p.service_tier IN ('', 'standard')
  AND p.min_input_tokens = 0
  AND p.hours = ''
  AND p.valid_from < toDateTime64({end:String}, 9, 'UTC')
ORDER BY p.valid_from DESC
LIMIT 1
