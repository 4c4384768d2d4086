-- Columns of trace_spans.sql: what the spans carried. Parameters: max_chars (longer values are cut).
,
mapApply((k, v) -> (k, substringUTF8(v, 1, {max_chars:UInt64})), s.attributes) AS attributes,
s.resource_attributes AS resource_attributes,
mapApply((k, v) -> (k, substringUTF8(v, 1, {max_chars:UInt64})), s.texts) AS texts,
arrayMap(e -> (e.at, e.name, e.attributes), arraySlice(s.events, 1, 100)) AS events
