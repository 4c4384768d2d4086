-- The prices of the matched models as `price.sql` multiplies them.
--
-- matched which models: a SELECT of provider, model; versions: of which lists
SELECT row, price_version, slot_key, valid_from, rates, list_rates, unknown, stands_in, borrowed_parts AS borrowed
FROM prices
WHERE price_version IN ($versions) AND (provider, model) IN ($matched)
