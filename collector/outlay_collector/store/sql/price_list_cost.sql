-- The cost at list prices, in the columns of `price.sql`; only used where there are contracts.
money(q_input, l_input) + money(q_read, l_read) + money(q_write, l_write) + money(q_write_1h, l_write_1h)
+ money(q_output, l_output) + money(q_reasoning, l_reasoning) + money(1, l_requests)
+ arraySum(
    part -> money(part.2, multiIf(
        mapContains(o_list_rates, part.1), o_list_rates[part.1],
        part.3 = 'input', toDecimal128(l_input, 12),
        part.3 = 'cache_read', toDecimal128(l_read, 12),
        part.3 = 'output', toDecimal128(l_output, 12),
        toDecimal128(0, 12)
    )),
    q_parts
)
