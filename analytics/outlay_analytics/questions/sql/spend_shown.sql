-- Question: the same calls, with the groups that are not shown taken together.
-- Fragments: source (see spend_source.py), id of a group as in spend.sql, together (`if(is_rest, '', d0) AS d0` …).
-- Parameters: shown (ids of the groups that are), and those of the source.
-- Result: the columns of the source, is_rest and group_id.
(
    SELECT * REPLACE ($together)
    FROM
    (
        SELECT
            *,
            $id AS group_id,
            group_id NOT IN ({shown:Array(UInt128)}) AS is_rest
        FROM $source
    )
)
