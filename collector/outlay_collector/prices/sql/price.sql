-- The one way to price a call: for settle, reprice and simulate.
--
-- source    a SELECT that yields project, provider, request_model, response_model, service_tier, region, started_at, the
--            six token counts, other_usage and state_hint, plus any columns that pass through
-- periods   which price list holds from when: a SELECT of project, starts_at, price_version
-- tier      the price list's name of service_tier in region
-- prices    `price_rows.sql` for matched, a SELECT of provider, model, and versions, the lists that may be used
-- required  units beside tokens without whose price there is no cost
-- fee_rate  what a billionth of a dollar that the provider charged is worth, whatever lists and contracts say
-- list_cost the cost at list prices, from list_rates where contracts differ from them
-- size      what decides the size of the input, requests: how many a row is; a row may stand for calls that are priced alike
-- helpers   the columns that are worked with and not handed out
--
-- Result: the source's columns, then cost_usd, list_cost_usd, uncached_cost_usd, cost_lines, cost_state, price_version,
-- matched_model, match_kind, avoided_usd.
--
-- Inside out: the list in force at the call's start; the model its names mean, with the grid of that model's slots
-- (service tier × input size × hours of the week); one ASOF JOIN to the slot's prices; overlapping counts as disjoint
-- quantities; lines of quantity × USD per million, each rounded half up to 12 decimals; the cost as their sum.
-- `outlay.pricing.cost` does the same arithmetic in Python, and a test holds the two together.
-- A part without a price of its own takes the one above it and says so in match_kind; without any, there is no cost.
--
-- Figures that others are made of get a level of their own: an alias used twice in one SELECT is analyzed and, in lazy
-- branches, computed twice. No SETTINGS here, so that read-only connections may price too.
WITH
    (quantity, usd_per_million) -> (
        quantity * toDecimal128(usd_per_million, 12) + toDecimal128('0.0000005', 12)
    ) / 1000000 AS money,
    (whole, part) -> if(whole > part, toUInt64(whole - part), toUInt64(0)) AS minus_or_0,
    -- As much of each quantity as there is room for, the first ones first.
    (quantities, room) -> arrayMap(
        (quantity, upto) -> least(quantity, minus_or_0(room, upto - quantity)), quantities, arrayCumSum(quantities)
    ) AS fitting
SELECT
    * EXCEPT ($helpers),
    multiIf(c_counts, c_sum, c_free, toDecimal128(0, 12), NULL) AS cost_usd,
    multiIf(c_counts, $list_cost, c_free, toDecimal128(0, 12), NULL) AS list_cost_usd,
    multiIf(
        c_counts,
            c_sum - arraySum(arraySlice(c_lines, 1, 4)) + money(arraySum(arraySlice(q_lines, 1, 4)), p_rates[1])
            + arraySum(
                (part, line) -> if(
                    part.3 = 2,
                    money(part.2, if(
                        mapContains(o_rates, replaceOne(part.1, 'cache_read', 'input')),
                        o_rates[replaceOne(part.1, 'cache_read', 'input')],
                        toDecimal128(p_rates[1], 12)
                    )) - line,
                    toDecimal128(0, 12)
                ),
                q_parts, c_parts
            ),
        c_free, toDecimal128(0, 12),
        NULL
    ) AS uncached_cost_usd,
    CAST(
        mapFilter(
            (line, usd) -> c_counts AND usd != 0,
            mapFromArrays(
                arrayConcat(
                    ['input', 'cache_read', 'cache_write', 'cache_write_1h', 'output', 'reasoning', 'requests'],
                    q_parts.1
                ),
                arrayConcat(c_lines, c_parts)
            )
        ),
        'Map(LowCardinality(String), Decimal(38, 12))'
    ) AS cost_lines,
    c_state AS cost_state,
    if(p_found, p_list, '') AS price_version,
    p_match AS matched_model,
    CAST(
        if(p_match = '', '', concat(
            p_kind,
            multiIf(
                NOT p_found, '+no_price_yet',
                p_no_tier OR bitTest(p_borrowed, 7), '+standard_tier',
                bitAnd(p_borrowed, q_used) != 0 OR arrayExists(part -> has(o_borrowed, part.1), q_parts), '+standard_part',
                ''
            ),
            if(bitTest(q_stands_in, 1), '+read_at_input', ''),
            -- One-hour writes without a price of their own cost what five-minute writes do, and those what input does.
            multiIf(
                bitTest(p_stands_in, 2) AND bitAnd(q_stands_in, 12) != 0, '+write_at_input',
                bitTest(q_stands_in, 3), '+write_1h_at_5m',
                ''
            ),
            if(
                p_found AND arrayExists(
                    part -> part.3 != 0 AND part.1 != 'input_image' AND NOT mapContains(o_rates, part.1), q_parts
                ),
                '+modality_at_text',
                ''
            ),
            if(p_found AND q_assumed, '+overlap_assumed', '')
        )),
        'LowCardinality(String)'
    ) AS match_kind,
    if(
        c_state = 'cached' AND isNotNull(coalesce(input_tokens, output_tokens)) AND NOT ifNull(c_lacks_usage, false),
        c_sum,
        NULL
    ) AS avoided_usd
FROM
(
    SELECT *, c_state IN ('computed', 'estimated') AS c_counts, c_state IN ('not_billed', 'cached') AS c_free
    FROM
    (
        SELECT
            *,
            multiIf(
                state_hint IN ('not_billed', 'cached'), toString(state_hint),
                -- What is billed by the request costs the same whatever it counts.
                p_rates[7] > 0 AND p_rates[1] = 0 AND p_rates[5] = 0 AND isNotNull(c_sum),
                    if(state_hint = 'estimated', 'estimated', 'computed'),
                state_hint = 'no_usage', 'no_usage',
                -- Units that no price is known for (a reranker's search units) are usage, not its absence.
                isNull(coalesce(input_tokens, output_tokens)) AND empty(q_parts), if(empty(other_usage), 'no_usage', 'unpriced'),
                c_lacks_usage, 'no_usage',
                isNull(c_sum), 'unpriced',
                state_hint = 'estimated', 'estimated',
                'computed'
            ) AS c_state
        FROM
        (
            SELECT
                *,
                bitAnd(p_stands_in, q_used) AS q_stands_in,
                (isNull(input_tokens) AND p_rates[1] > 0) OR (isNull(output_tokens) AND p_rates[5] > 0) AS c_lacks_usage,
                if(
                    p_found AND bitAnd(p_unknown, q_used) = 0 AND NOT arrayExists(
                        part -> NOT mapContains(o_rates, part.1) AND bitTest(p_unknown, (part.3 + 7) % 8),
                        q_parts
                    ),
                    arraySum(c_lines) + arraySum(c_parts),
                    NULL
                ) AS c_sum
            FROM
            (
                SELECT
                    *,
                    toUInt8(arraySum(
                        (quantity, bit) -> (quantity > 0) * bit, q_lines, [1, 2, 4, 8, 16, 32, 0]
                    )) AS q_used,
                    arrayMap((quantity, rate) -> money(quantity, rate), q_lines, p_rates) AS c_lines,
                    arrayMap(
                        part -> money(part.2, if(
                            mapContains(o_rates, part.1), o_rates[part.1], toDecimal128(p_rates[part.3], 12)
                        )),
                        q_parts
                    ) AS c_parts
                FROM
                (
                    SELECT
                        * EXCEPT (
                            q_kinds, q_inputs, q_told, q_given, q_read, q_write, q_produced, q_cached, q_uncached, q_fresh,
                            q_more, q_outputs, q_fees, q_reasoning, q_untold, q_requests, q_by_unit
                        ),
                        -- What is neither text nor a plain cache read or write: (line, quantity, nth rate that stands in).
                        arrayFilter(part -> part.2 > 0 AND NOT (q_by_unit AND part.3 != 0 AND NOT mapContains(o_rates, part.1)), arrayConcat(
                            arrayMap((kind, quantity) -> (concat('input_', kind), quantity, toUInt8(1)), q_kinds, q_fresh),
                            arrayMap(
                                (kind, told, more) -> (concat('cache_read_', kind), toUInt64(told + more), toUInt8(2)),
                                q_kinds, q_cached, q_more
                            ),
                            arrayMap((kind, quantity) -> (concat('output_', kind), quantity, toUInt8(5)), q_kinds, q_outputs),
                            q_fees
                        )) AS q_parts,
                        if(
                            q_by_unit,
                            [0, 0, 0, 0, 0, 0, q_requests],
                            [
                                minus_or_0(q_given, q_read + q_write + arraySum(q_fresh)),
                                minus_or_0(q_read, arraySum(q_cached) + arraySum(q_more)),
                                minus_or_0(q_write, ifNull(cache_write_1h_tokens, 0)),
                                least(ifNull(cache_write_1h_tokens, 0), q_write),
                                minus_or_0(q_produced, arraySum(q_outputs) + q_reasoning),
                                q_reasoning,
                                q_requests
                            ]
                        ) AS q_lines
                    FROM
                    (
                        SELECT
                            *,
                            -- Where nobody tells how cached tokens and a modality's overlap, they do as little as they can.
                            fitting(
                                arrayMap(
                                    (kind, part, placed) -> if(
                                        mapContains(other_usage, concat('cache_read_', kind, '_tokens')),
                                        toUInt64(0),
                                        minus_or_0(part, placed)
                                    ),
                                    q_kinds, q_uncached, q_fresh
                                ),
                                minus_or_0(q_read, arraySum(q_cached))
                            ) AS q_more,
                            -- Of what nobody tells more may have been cached than had to be.
                            notEmpty(q_kinds) AND q_untold > 0 AND ifNull(cache_read_tokens, 0) > 0 AND minus_or_0(
                                q_untold + ifNull(cache_read_tokens, 0)
                                + greatest(ifNull(cache_write_tokens, 0), ifNull(cache_write_1h_tokens, 0)),
                                ifNull(input_tokens, 0)
                            ) < least(q_untold, ifNull(cache_read_tokens, 0)) AS q_assumed,
                            if(
                                bitTest(p_stands_in, 5),
                                toUInt64(0),
                                least(ifNull(reasoning_tokens, 0), minus_or_0(q_produced, arraySum(q_outputs)))
                            ) AS q_reasoning,
                            toUInt64(p_found AND NOT arrayExists(fee -> startsWith(fee.1, 'requests_'), q_fees)) * $requests AS q_requests,
                            -- What is sold by the second or the request, and not by token, costs that whatever it counts.
                            p_found AND bitAnd(p_unknown, 63) = 63 AND (
                                p_rates[7] > 0 AND q_requests > 0
                                OR arrayExists(fee -> mapContains(o_rates, fee.1) AND fee.1 != 'provider_fee', q_fees)
                            ) AS q_by_unit
                        FROM
                        (
                            SELECT *, fitting(q_uncached, minus_or_0(q_given, q_read + q_write)) AS q_fresh
                            FROM
                            (
                                SELECT
                                    *,
                                    arrayMap((part, inside) -> minus_or_0(part, inside), q_inputs, q_cached) AS q_uncached
                                FROM
                                (
                                    SELECT
                                        *,
                                        least(
                                            greatest(ifNull(cache_write_tokens, 0), ifNull(cache_write_1h_tokens, 0)),
                                            minus_or_0(q_given, q_read)
                                        ) AS q_write,
                                        fitting(q_told, q_read) AS q_cached,
                                        fitting(
                                            arrayMap(kind -> other_usage[concat('output_', kind, '_tokens')], q_kinds),
                                            q_produced
                                        ) AS q_outputs
                                    FROM
                                    (
                                        SELECT
                                            *,
                                            least(greatest(ifNull(cache_read_tokens, 0), arraySum(q_told)), q_given) AS q_read
                                        FROM
                                        (
                                            SELECT
                                                *,
                                                -- Without a count of its own a side holds what its parts do.
                                                toUInt64(ifNull(
                                                    input_tokens,
                                                    greatest(ifNull(cache_read_tokens, 0), arraySum(q_told))
                                                    + greatest(ifNull(cache_write_tokens, 0), ifNull(cache_write_1h_tokens, 0))
                                                    + arraySum(q_inputs)
                                                )) AS q_given,
                                                toUInt64(ifNull(
                                                    output_tokens,
                                                    arraySum(kind -> other_usage[concat('output_', kind, '_tokens')], q_kinds)
                                                )) AS q_produced
                                            FROM
                                            (
                                                SELECT
                                                    *,
                                                    arrayMap(kind -> other_usage[concat('input_', kind, '_tokens')], q_kinds)
                                                    AS q_inputs,
                                                    arrayMap(kind -> other_usage[concat('cache_read_', kind, '_tokens')], q_kinds)
                                                    AS q_told,
                                                    arraySum(
                                                        kind -> if(
                                                            mapContains(other_usage, concat('cache_read_', kind, '_tokens')),
                                                            toUInt64(0),
                                                            other_usage[concat('input_', kind, '_tokens')]
                                                        ),
                                                        q_kinds
                                                    ) AS q_untold
                                                FROM
                                                (
                                                    SELECT
                                                        s.*,
                                                        -- Amounts that the provider charged are no contract's to change.
                                                        mapContains(other_usage, 'provider_fee') AS o_charged,
                                                        if(o_charged, mapUpdate(o.rates, $fee_rate), o.rates) AS o_rates,
                                                        if(o_charged, mapUpdate(o.list_rates, $fee_rate), o.list_rates)
                                                        AS o_list_rates,
                                                        o.borrowed AS o_borrowed,
                                                        if(empty(other_usage), emptyArrayString(), ['audio', 'image', 'video'])
                                                        AS q_kinds,
                                                        -- Units beside tokens: those that the list prices, and searches.
                                                        arrayFilter(
                                                            fee -> fee.2 > 0 AND (
                                                                mapContains(o_rates, fee.1) AND fee.1 != 'requests'
                                                                OR fee.1 IN ($required)
                                                            ),
                                                            arrayMap(
                                                                (name, quantity) -> (toString(name), toUInt64(quantity), toUInt8(0)),
                                                                mapKeys(other_usage), mapValues(other_usage)
                                                            )
                                                        ) AS q_fees
                                                    FROM
                                                    (
                                                        SELECT
                                                            s.*,
                                                            p.row AS p_row,
                                                            p.row != 0 AS p_found,
                                                            p.price_version AS p_list,
                                                            if(empty(other_usage), 0, p.row) AS p_other_row,
                                                            p.unknown AS p_unknown,
                                                            p.stands_in AS p_stands_in,
                                                            p.borrowed AS p_borrowed,
                                                            arrayResize(p.rates, 7) AS p_rates
                                                            $list_rates
                                                        FROM
                                                        (
                                                            SELECT
                                                                s.*,
                                                                m.matched_model AS p_match,
                                                                m.match_kind AS p_kind,
                                                                m.no_tier AS p_no_tier,
                                                                m.model_key + m.tier_slot + arrayCount(above -> ifNull($size, 0) > above, m.thresholds) * 256
                                                                + arrayLastIndex(
                                                                    hours -> bitTest(hours.weekdays, toDayOfWeek(started_at, 0, 'UTC') - 1) AND if(
                                                                        hours.start_s < hours.end_s,
                                                                        p_second >= hours.start_s AND p_second < hours.end_s,
                                                                        p_second >= hours.start_s OR p_second < hours.end_s
                                                                    ),
                                                                    m.windows
                                                                ) AS p_slot_key
                                                            FROM
                                                            (
                                                                SELECT
                                                                    s.*,
                                                                    e.price_version AS p_epoch,
                                                                    toUInt32(toUnixTimestamp(started_at) % 86400) AS p_second,
                                                                    cityHash64(p_epoch, provider, request_model, response_model, $tier) AS p_names
                                                                FROM ($source) AS s
                                                                ASOF LEFT JOIN ($periods) AS e ON s.project = e.project AND s.started_at >= e.starts_at
                                                            ) AS s
                                                            LEFT ANY JOIN
                                                            (
                                                                SELECT names, matched_model, match_kind, no_tier, model_key, tier_slot, thresholds, windows
                                                                FROM model_matches
                                                                WHERE price_version IN (SELECT price_version FROM ($periods))
                                                            ) AS m ON s.p_names = m.names
                                                        ) AS s
                                                        ASOF LEFT JOIN ($prices) AS p ON s.p_slot_key = p.slot_key AND s.started_at >= p.valid_from
                                                    ) AS s
                                                    LEFT ANY JOIN
                                                    (
                                                        SELECT row, other_usd_per_million AS rates, list_other_usd_per_million AS list_rates, borrowed
                                                        FROM prices
                                                        WHERE price_version IN ($versions) AND (provider, model) IN ($matched)
                                                    ) AS o ON s.p_other_row = o.row
                                                )
                                            )
                                        )
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
    )
)
