-- Question: what was charged, per charge period, who it was for, and meter?
-- Fragments: priced (price.sql with its workings over focus_source.sql). Parameters: those of the fragment.
-- Result: one row per period, service, environment, feature, team, customer, provider, model, service tier, region, tags, line,
-- unit prices and whether it was late: quantity (units of the line, NULL where not known), cost_usd, list_cost_usd, requests (each call
-- once, in the row of its first line), rate and list_rate (USD per million units).
--
-- A call's lines are those that price.sql comes to, as long as they are what was stored. Where they are not (stored by
-- an earlier version of the pricing), what was stored counts and the unit prices are unknown; what the stored lines
-- leave of the cost is the line `other`, and the difference to the list cost is in the first one.
--
-- The key is one tuple, in the order of the rows: to analyze so many keys over so deep a statement takes a second of CPU.
SELECT
    key.1 AS period,
    key.2 AS team,
    key.3 AS feature,
    key.4 AS customer,
    key.5 AS service,
    key.6 AS environment,
    key.7 AS provider,
    key.8 AS model,
    key.9 AS service_tier,
    key.10 AS region,
    key.11 AS tag_values,
    key.12 AS line_name,
    key.13 AS price_row,
    key.14 AS rate,
    key.15 AS list_rate,
    key.16 AS matched_model,
    key.17 AS late,
    quantity,
    cost_usd,
    list_cost_usd,
    requests
FROM
(
    SELECT
        key,
        sum(line.2) AS quantity,
        sum(line.5) AS cost_usd,
        sum(line.6) + sum(if(nth = 1, list_rest, toDecimal128(0, 12))) AS list_cost_usd,
        countIf(nth = 1) AS requests
    FROM
    (
        SELECT
            (
                period, team, feature, customer, service, environment, provider, model, service_tier, region, tag_values,
                line.1, if(agrees, p_row, 0), line.3, line.4, old_matched_model, late
            ) AS key,
            line,
            nth,
            list_rest
        FROM
        (
            SELECT
                *,
                old_list_cost_usd - arraySum(line -> line.6, lines) AS list_rest
            FROM
            (
                SELECT
                    *,
                    old_cost_usd = arraySum(usd)
                        AND old_list_cost_usd = arraySum(list_usd)
                        AND arrayAll((name, amount) -> old_cost_lines[name] = amount, names, usd) AS agrees,
                    arrayFilter((name, amount) -> amount != 0, mapKeys(old_cost_lines), mapValues(old_cost_lines)) AS old_names,
                    old_cost_usd - arraySum(mapValues(old_cost_lines)) AS rest,
                    if(
                        agrees,
                        arrayFilter(
                            line -> line.2 > 0 AND (line.1 != 'requests' OR line.5 != 0 OR line.6 != 0),
                            arrayMap(
                                (name, quantity, rate, list_rate, amount, list_amount) -> (
                                    name, toNullable(quantity), toNullable(rate), toNullable(list_rate), amount, list_amount
                                ),
                                names, quantities, rates, list_rates, usd, list_usd
                            )
                        ),
                        arrayMap(
                            name -> (
                                toString(name),
                                if(has(names, name), toNullable(quantities[indexOf(names, name)]), NULL),
                                CAST(NULL, 'Nullable(Decimal(38, 12))'),
                                CAST(NULL, 'Nullable(Decimal(38, 12))'),
                                if(name = 'other', old_cost_lines['other'] + rest, old_cost_lines[name]),
                                if(name = 'other', old_cost_lines['other'] + rest, old_cost_lines[name])
                            ),
                            arrayDistinct(
                                if(rest != 0 OR empty(old_names), arrayPushBack(old_names, 'other'), old_names)
                            )
                        )
                    ) AS lines
                FROM
                (
                    SELECT
                        *,
                        arrayMap(part -> (
                            part.1,
                            if(mapContains(o_rates, part.1), o_rates[part.1], toDecimal128(p_rates[part.3], 12)),
                            if(mapContains(o_list_rates, part.1), o_list_rates[part.1], toDecimal128(l_rates[part.3], 12))
                        ), q_parts) AS part_rates,
                        arrayConcat(
                            ['input', 'cache_read', 'cache_write', 'cache_write_1h', 'output', 'reasoning', 'requests'],
                            q_parts.1
                        ) AS names,
                        arrayConcat(q_lines, q_parts.2) AS quantities,
                        arrayConcat(arrayMap(rate -> toDecimal128(rate, 12), p_rates), part_rates.2) AS rates,
                        arrayConcat(arrayMap(rate -> toDecimal128(rate, 12), l_rates), part_rates.3) AS list_rates,
                        arrayConcat(c_lines, c_parts) AS usd,
                        arrayMap(
                            (quantity, rate) -> (quantity * rate + toDecimal128('0.0000005', 12)) / 1000000,
                            quantities, list_rates
                        ) AS list_usd
                    FROM ($priced)
                )
            )
        )
        ARRAY JOIN lines AS line, arrayEnumerate(lines) AS nth
    )
    GROUP BY key
)
ORDER BY key
