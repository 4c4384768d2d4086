-- Question: the same calls, with the values of some dimensions that are not kept taken together.
-- Fragments: source (see spend_source.py), rest (a sum of bits), replaced (`REPLACE (if(bitTest(rest, 0), '', d0) AS d0 …)`
-- or nothing). Parameters: kept_0 … (ids of the values that are kept), and those of the source.
-- Result: the columns of the source, and rest (UInt16).
(
    SELECT * $replaced
    FROM
    (
        SELECT
            *,
            toUInt16($rest) AS rest
        FROM $source
    )
)
