-- The cost at list prices, in the columns of `price.sql`; only used where there are contracts.
arraySum(arrayMap((quantity, rate) -> money(quantity, rate), q_lines, l_rates))
+ arraySum(
    part -> money(part.2, if(
        mapContains(o_list_rates, part.1), o_list_rates[part.1], toDecimal128(l_rates[part.3], 12)
    )),
    q_parts
)
