-- Spans as they are, with their ids as numbers: what they mean is for Python to say. Contents stay where they are.
-- which says whose, resource that attributes of their resources are read, too. documents names the contents that
-- dialects read as JSON. Parameter: resource_names, attributes that are asked of resources.
SELECT
    sipHash64(project, trace_id) AS trace,
    bitXor(trace, sipHash64(span_id)) AS id,
    if(parent_span_id IN ('', span_id), 0, bitXor(trace, sipHash64(parent_span_id))) AS parent_id,
    project,
    trace_id,
    span_id,
    parent_span_id,
    started_at,
    duration_ns,
    name,
    kind,
    service,
    environment,
    scope_name,
    scope_version,
    status,
    attributes,
    -- Some conventions say what a span counts in one of its events; of several the last.
    arrayLast(
        event -> arrayExists(key -> startsWith(key, 'gen_ai.usage.'), mapKeys(event)), events.attributes
    ) AS counting,
    $resource
    arrayFirst(x -> x != '', arrayMap(x -> x['exception.type'], events.attributes)) AS exception_type,
    arrayExists(name -> has($documents, name), texts.keys) AS has_document,
    prompt_hash,
    prefix_hash,
    version
FROM spans FINAL
WHERE $which
-- A run's spans in one piece: else each column would be put together again of many.
SETTINGS max_block_size = 131072, preferred_block_size_bytes = 67108864
