-- The one way to price a call: for settle, reprice and simulate.
--
-- $source  a SELECT that yields project, provider, request_model, response_model, service_tier, started_at, the six
--          token counts, other_usage and state_hint, plus any columns that pass through
-- $epochs  which price list holds from when: a SELECT of project, starts_at, price_version
-- $tier    the price list's name of service_tier
--
-- Result: the source's columns, then cost_usd, list_cost_usd, uncached_cost_usd, cost_lines, cost_state, price_version,
-- matched_model, match_kind, avoided_usd.
--
-- Inside out: the list in force at the call's start; the model its names mean, with the grid of that model's slots
-- (service tier × input size × hours of the week); one ASOF JOIN to the slot's prices; overlapping counts as disjoint
-- quantities; lines of quantity × USD per million, each rounded half up to 12 decimals; the cost as their sum.
-- `outlay.pricing.cost` does the same arithmetic in Python, and a test holds the two together.
-- A part without a price of its own takes the one above it and says so in match_kind; without any, there is no cost.
WITH
    (quantity, usd_per_million) -> if(
        quantity = 0,
        toDecimal128(0, 12),
        (quantity * usd_per_million + toDecimal128('0.0000005', 12)) / 1000000
    ) AS money,
    (whole, part) -> if(whole > part, toUInt64(whole - part), toUInt64(0)) AS minus_or_0
SELECT
    * EXCEPT (
        p_epoch, p_second, p_match, p_kind, p_tier_index, p_slot_key, p_found, p_borrowed, p_is_list, p_input,
        p_read, p_write, p_write_1h, p_output, p_reasoning, p_other, l_input, l_read, l_write, l_write_1h, l_output,
        l_reasoning, l_other, q_write_1h, q_parts, q_part_input, q_part_read, q_part_output, q_read, q_write,
        q_input, q_reasoning, q_output, e_read, e_write, e_write_1h, e_reasoning, c_input, c_read, c_write,
        c_write_1h, c_output, c_reasoning, c_parts, c_parts_usd, c_sum, c_state, c_counts
    ),
    multiIf(c_counts, c_sum, c_state IN ('not_billed', 'cached'), toDecimal128(0, 12), NULL) AS cost_usd,
    multiIf(
        c_counts AND p_is_list, c_sum,
        c_counts,
            money(q_input, l_input)
            + money(q_read, coalesce(l_read, l_input))
            + money(q_write, coalesce(l_write, l_input))
            + money(q_write_1h, coalesce(l_write_1h, l_write, l_input))
            + money(q_output, l_output)
            + money(q_reasoning, coalesce(l_reasoning, l_output))
            + arraySum(
                part -> assumeNotNull(money(part.2, multiIf(
                    mapContains(l_other, part.1), l_other[part.1],
                    part.3 = 'input', l_input,
                    part.3 = 'cache_read', coalesce(l_read, l_input),
                    part.3 = 'output', l_output,
                    NULL
                ))),
                q_parts
            ),
        c_state IN ('not_billed', 'cached'), toDecimal128(0, 12),
        NULL
    ) AS list_cost_usd,
    multiIf(
        c_counts,
            money(q_input + q_read + q_write + q_write_1h, p_input) + c_output + c_reasoning + c_parts_usd
            + arraySum(
                (part, line) -> if(
                    part.3 = 'cache_read',
                    assumeNotNull(money(part.2, if(
                        mapContains(p_other, replaceOne(part.1, 'cache_read', 'input')),
                        p_other[replaceOne(part.1, 'cache_read', 'input')],
                        p_input
                    ))) - line,
                    toDecimal128(0, 12)
                ),
                q_parts, c_parts
            ),
        c_state IN ('not_billed', 'cached'), toDecimal128(0, 12),
        NULL
    ) AS uncached_cost_usd,
    CAST(
        if(
            c_counts,
            mapFilter((part, usd) -> usd != 0, mapUpdate(
                map(
                    'input', assumeNotNull(c_input), 'cache_read', assumeNotNull(c_read),
                    'cache_write', assumeNotNull(c_write), 'cache_write_1h', assumeNotNull(c_write_1h),
                    'output', assumeNotNull(c_output), 'reasoning', assumeNotNull(c_reasoning)
                ),
                mapFromArrays(q_parts.1, c_parts)
            )),
            map()
        ),
        'Map(LowCardinality(String), Decimal(38, 12))'
    ) AS cost_lines,
    c_state AS cost_state,
    if(p_found, p_epoch, '') AS price_version,
    p_match AS matched_model,
    CAST(
        if(p_match = '', '', concat(
            p_kind,
            multiIf(
                NOT p_found, '+no_price_yet',
                p_tier_index = 0 OR has(p_borrowed, '*'), '+standard_tier',
                empty(p_borrowed), '',
                (q_input > 0 AND has(p_borrowed, 'input')) OR (q_read > 0 AND has(p_borrowed, 'cache_read'))
                OR (q_write > 0 AND has(p_borrowed, 'cache_write'))
                OR (q_write_1h > 0 AND has(p_borrowed, 'cache_write_1h'))
                OR (q_output > 0 AND has(p_borrowed, 'output')) OR (q_reasoning > 0 AND has(p_borrowed, 'reasoning'))
                OR arrayExists(part -> has(p_borrowed, part.1), q_parts), '+standard_part',
                ''
            ),
            if(p_found AND q_read > 0 AND isNull(p_read), '+read_at_input', ''),
            multiIf(
                NOT p_found, '',
                isNull(p_write) AND (q_write > 0 OR (q_write_1h > 0 AND isNull(p_write_1h))), '+write_at_input',
                q_write_1h > 0 AND isNull(p_write_1h), '+write_1h_at_5m',
                ''
            ),
            if(
                p_found AND arrayExists(
                    part -> part.3 != '' AND part.1 != 'input_image' AND NOT mapContains(p_other, part.1), q_parts
                ),
                '+modality_at_text',
                ''
            )
        )),
        'LowCardinality(String)'
    ) AS match_kind,
    if(c_state = 'cached' AND (isNotNull(input_tokens) OR isNotNull(output_tokens)), c_sum, NULL) AS avoided_usd
FROM
(
    SELECT
        *,
        arraySum(c_parts) AS c_parts_usd,
        if(
            p_found AND NOT arrayExists(
                part -> multiIf(
                    mapContains(p_other, part.1), false,
                    part.3 = 'input', isNull(p_input),
                    part.3 = 'cache_read', isNull(e_read),
                    part.3 = 'output', isNull(p_output),
                    true
                ),
                q_parts
            ),
            c_input + c_read + c_write + c_write_1h + c_output + c_reasoning + c_parts_usd,
            NULL
        ) AS c_sum,
        multiIf(
            state_hint IN ('not_billed', 'cached', 'no_usage'), toString(state_hint),
            isNull(input_tokens) AND isNull(output_tokens) AND empty(q_parts), 'no_usage',
            (isNull(input_tokens) AND p_input > 0) OR (isNull(output_tokens) AND p_output > 0), 'no_usage',
            isNull(c_sum), 'unpriced',
            state_hint = 'estimated', 'estimated',
            'computed'
        ) AS c_state,
        c_state IN ('computed', 'estimated') AS c_counts
    FROM
    (
        SELECT
            *,
            coalesce(p_read, p_input) AS e_read,
            coalesce(p_write, p_input) AS e_write,
            coalesce(p_write_1h, e_write) AS e_write_1h,
            coalesce(p_reasoning, p_output) AS e_reasoning,
            money(q_input, p_input) AS c_input,
            money(q_read, e_read) AS c_read,
            money(q_write, e_write) AS c_write,
            money(q_write_1h, e_write_1h) AS c_write_1h,
            money(q_output, p_output) AS c_output,
            money(q_reasoning, e_reasoning) AS c_reasoning,
            arrayMap(
                part -> assumeNotNull(money(part.2, multiIf(
                    mapContains(p_other, part.1), p_other[part.1],
                    part.3 = 'input', p_input,
                    part.3 = 'cache_read', e_read,
                    part.3 = 'output', p_output,
                    NULL
                ))),
                q_parts
            ) AS c_parts
        FROM
        (
            SELECT
                *,
                ifNull(cache_write_1h_tokens, 0) AS q_write_1h,
                if(
                    empty(other_usage) AND NOT mapContains(p_other, 'requests'),
                    [],
                    arrayFilter(part -> part.2 > 0, arrayConcat(
                        arrayMap(kind -> (concat('input_', kind), minus_or_0(
                            other_usage[concat('input_', kind, '_tokens')],
                            other_usage[concat('cache_read_', kind, '_tokens')]
                        ), 'input'), ['audio', 'image', 'video']),
                        arrayMap(
                            kind -> (concat('cache_read_', kind), other_usage[concat('cache_read_', kind, '_tokens')], 'cache_read'),
                            ['audio', 'image', 'video']
                        ),
                        arrayMap(
                            kind -> (concat('output_', kind), other_usage[concat('output_', kind, '_tokens')], 'output'),
                            ['audio', 'image', 'video']
                        ),
                        arrayMap(fee -> (fee, other_usage[fee], ''), ['web_searches', 'file_searches']),
                        arrayMap(
                            fee -> (fee, if(mapContains(p_other, fee), other_usage[fee], toUInt64(0)), ''),
                            ['audio_seconds', 'input_audio_seconds', 'input_pages', 'input_annotated_pages', 'input_characters', 'input_messages']
                        ),
                        [('requests', toUInt64(mapContains(p_other, 'requests')), '')]
                    ))
                ) AS q_parts,
                arraySum(part -> if(part.3 = 'input', part.2, 0), q_parts) AS q_part_input,
                arraySum(part -> if(part.3 = 'cache_read', part.2, 0), q_parts) AS q_part_read,
                arraySum(part -> if(part.3 = 'output', part.2, 0), q_parts) AS q_part_output,
                minus_or_0(ifNull(cache_read_tokens, 0), q_part_read) AS q_read,
                minus_or_0(ifNull(cache_write_tokens, 0), q_write_1h) AS q_write,
                minus_or_0(
                    ifNull(input_tokens, 0), q_read + q_part_read + q_write + q_write_1h + q_part_input
                ) AS q_input,
                if(
                    isNull(p_reasoning),
                    toUInt64(0),
                    least(ifNull(reasoning_tokens, 0), minus_or_0(ifNull(output_tokens, 0), q_part_output))
                ) AS q_reasoning,
                minus_or_0(ifNull(output_tokens, 0), q_part_output + q_reasoning) AS q_output
            FROM
            (
                SELECT
                    s.*,
                    p.price_version != '' AS p_found,
                    p.borrowed AS p_borrowed,
                    p.is_list AS p_is_list,
                    p.input_usd_per_mtok AS p_input,
                    p.cache_read_usd_per_mtok AS p_read,
                    p.cache_write_usd_per_mtok AS p_write,
                    p.cache_write_1h_usd_per_mtok AS p_write_1h,
                    p.output_usd_per_mtok AS p_output,
                    p.reasoning_usd_per_mtok AS p_reasoning,
                    p.other_usd_per_million AS p_other,
                    p.list_input_usd_per_mtok AS l_input,
                    p.list_cache_read_usd_per_mtok AS l_read,
                    p.list_cache_write_usd_per_mtok AS l_write,
                    p.list_cache_write_1h_usd_per_mtok AS l_write_1h,
                    p.list_output_usd_per_mtok AS l_output,
                    p.list_reasoning_usd_per_mtok AS l_reasoning,
                    p.list_other_usd_per_million AS l_other
                FROM
                (
                    SELECT
                        s.*,
                        m.matched_model AS p_match,
                        m.match_kind AS p_kind,
                        indexOf(m.tiers, $tier) AS p_tier_index,
                        m.model_key
                        + if(p_tier_index = 0, 0, p_tier_index - 1) * 65536
                        + arrayCount(above -> ifNull(input_tokens, 0) > above, m.thresholds) * 256
                        + if(empty(m.windows), 0, arrayLastIndex(
                            hours -> bitTest(hours.weekdays, toDayOfWeek(started_at) - 1) AND if(
                                hours.start_s < hours.end_s,
                                p_second >= hours.start_s AND p_second < hours.end_s,
                                p_second >= hours.start_s OR p_second < hours.end_s
                            ),
                            m.windows
                        )) AS p_slot_key
                    FROM
                    (
                        SELECT
                            s.*,
                            e.price_version AS p_epoch,
                            toHour(started_at) * 3600 + toMinute(started_at) * 60 + toSecond(started_at) AS p_second
                        FROM ($source) AS s
                        ASOF LEFT JOIN ($epochs) AS e ON s.project = e.project AND s.started_at >= e.starts_at
                    ) AS s
                    LEFT ANY JOIN
                    (
                        SELECT price_version, provider, request_model, response_model, matched_model, match_kind,
                            model_key, tiers, thresholds, windows
                        FROM model_matches
                        WHERE price_version IN (SELECT price_version FROM ($epochs))
                    ) AS m
                        ON s.p_epoch = m.price_version AND s.provider = m.provider
                        AND s.request_model = m.request_model AND s.response_model = m.response_model
                ) AS s
                ASOF LEFT JOIN
                (
                    SELECT *
                    FROM prices
                    WHERE (price_version, provider, model) IN
                    (
                        SELECT price_version, matched_provider, matched_name
                        FROM model_matches
                        WHERE price_version IN (SELECT price_version FROM ($epochs))
                    )
                ) AS p ON s.p_slot_key = p.slot_key AND s.started_at >= p.valid_from
            )
        )
    )
)
