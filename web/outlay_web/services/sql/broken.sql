-- Question: how many parts of tables did ClickHouse set aside as broken? It keeps them; nothing reads them.
-- Result: broken_parts (parts).
SELECT count() AS broken_parts
FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken')
