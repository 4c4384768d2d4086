-- Contents of spans that dialects read as JSON, a row each. which says of which spans, documents are their names.
SELECT
    bitXor(sipHash64(project, trace_id), sipHash64(span_id)) AS id,
    arrayJoin(arrayFilter(x -> mapContains(texts, x), $documents)) AS name,
    texts[name] AS text
FROM spans FINAL
WHERE $which
