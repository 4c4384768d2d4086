-- The calls of a window as price.sql wants them, with the figures they have now as old_….
--
-- columns: those of `calls` that are handed on, `*` for all; source.py knows which the price needs.
--
-- The names, tokens and hints are those that settle priced; a call that the application's cache answered is priced at the
-- tokens it avoided. What the provider charged beyond them is left out: `reprice_fees.sql` works it out anew.
SELECT
    * EXCEPT (
        cost_usd, list_cost_usd, uncached_cost_usd, cost_lines, cost_state, price_version, matched_model, match_kind,
        cache_avoided_usd
    ) REPLACE (
        if(calls.cost_state = 'cached', cache_avoided_input_tokens, input_tokens) AS input_tokens,
        if(calls.cost_state = 'cached', cache_avoided_output_tokens, output_tokens) AS output_tokens,
        mapFilter((unit, quantity) -> unit != 'provider_fee', other_usage) AS other_usage
    ),
    cost_usd AS old_cost_usd,
    list_cost_usd AS old_list_cost_usd,
    uncached_cost_usd AS old_uncached_cost_usd,
    cost_lines AS old_cost_lines,
    calls.cost_state AS old_cost_state,
    calls.price_version AS old_price_version,
    calls.matched_model AS old_matched_model,
    calls.match_kind AS old_match_kind,
    cache_avoided_usd AS old_avoided_usd,
    multiIf(
        calls.cost_state IN ('not_billed', 'cached', 'estimated'), toString(calls.cost_state),
        calls.cost_state = 'no_usage' AND isNull(calls.input_tokens) AND isNull(calls.output_tokens), 'no_usage',
        has(flags, 'estimated_usage'), 'estimated',
        ''
    ) AS state_hint
FROM
(
    SELECT $columns
    FROM calls FINAL
    WHERE project = {project:String}
      AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)}
) AS calls
