-- How OTLP bodies become spans. ClickHouse parses the untouched protobuf into `otlp_in`, a table that keeps nothing (its
-- schema and settings are in otlp.py), and the view below writes `spans`. Values are kept as text: integers as digits,
-- booleans as true and false, arrays and key-value lists as JSON. What is prompt, answer or document goes to `texts`.
-- The WHERE at the end is the rule of `otlp_read.py` in SQL: a test holds the two together.

CREATE TABLE IF NOT EXISTS otlp_in
(
    resource_spans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key LowCardinality(String), value Tuple(
                string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                array_value Tuple(values Array(Tuple(
                    string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                kvlist_value Tuple(values Array(Tuple(key String, value Tuple(
                    string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7))))),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String),
            spans Array(Tuple(
                trace_id String, span_id String, parent_span_id String, name String, kind Int32,
                start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                attributes Array(Tuple(key LowCardinality(String), value Tuple(
                        string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(
                            string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                        value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))),
                dropped_attributes_count UInt32,
                events Array(Tuple(
                    time_unix_nano UInt64, name String,
                    attributes Array(Tuple(key String, value Tuple(
                            string_value String, bool_value UInt8, int_value Int64, double_value Float64, bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)))))),
                dropped_events_count UInt32,
                links Array(Tuple(trace_id String, span_id String)),
                dropped_links_count UInt32,
                status Tuple(message String, code Int32),
                outlay_flags Array(String))))))) COMMENT 'As OTLP has it',
    outlay_project String COMMENT 'Envelope: project of the ingest key',
    outlay_body_id String COMMENT 'Envelope: spool record',
    outlay_received_ns UInt64 COMMENT 'Envelope: when the body was accepted, Unix nanoseconds',
    outlay_oldest_ns UInt64 COMMENT 'Envelope: spans that started before are rejected',
    outlay_newest_ns UInt64 COMMENT 'Envelope: spans that started after are rejected'
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_to_spans TO spans AS
WITH
    -- Anything but text, arrays and lists. An array or list that comes here is empty.
    (v -> multiIf(
        v.value = 'int_value', toString(v.int_value),
        v.value = 'bool_value', if(v.bool_value, 'true', 'false'),
        v.value = 'double_value', toString(v.double_value),
        v.value = 'bytes_value', base64Encode(v.bytes_value),
        v.value = 'array_value', '[]',
        v.value = 'kvlist_value', '{}',
        '')) AS number_text,
    (v -> multiIf(
        v.value = 'string_value', toJSONString(v.string_value),
        v.value = 'none', 'null',
        v.value = 'bytes_value' OR (v.value = 'double_value' AND NOT isFinite(v.double_value)), concat('"', number_text(v), '"'),
        number_text(v))) AS json,
    (values -> concat('[', arrayStringConcat(arrayMap(x -> json(x), values), ','), ']')) AS json_array,
    (pairs -> concat('{', arrayStringConcat(arrayMap(x -> concat(toJSONString(x.key), ':', json(x.value)), pairs), ','), '}')) AS json_object,
    '^(gen_ai\\.(input\\.messages|output\\.messages|system_instructions|content\\..*|(prompt|completion)(\\.[0-9].*)?)|gen_ai\\.tool\\.(definitions|json_schema|call\\.arguments|call\\.result)|gen_ai\\.(task|workflow|agent)\\.(input|output)|(input|output)\\.value|llm\\.((input|output)_messages|prompts|completions|tools|prompt_template)(\\..*)?|llm\\.[a-z_]+\\.(messages|choices|content|system|tools)|(traceloop\\.entity|langfuse\\.observation|langfuse\\.trace|lmnr\\.span|haystack\\.component)\\.(input|output)|mlflow\\.span(Inputs|Outputs)|mlflow\\.chat\\.(messages|tools)|ai\\.(prompt|value|values|embedding|embeddings|schema)(\\..*)?|ai\\.(response\\.(text|object|reasoning|toolCalls|files)|toolCall\\.(args|result))|(embedding\\.embeddings|retrieval\\.documents|reranker\\.(input|output)_documents)(\\..*)?|pydantic_ai\\.all_messages|all_messages_events|final_result|tool_arguments|tool_response|request_data|response_data|crew_agents|crew_tasks)$' AS content_keys,
    '(?i)usage|token|cost|metadata|metrics' AS kept_keys,
    ((k, size) -> match(k, content_keys) OR (size > 4096 AND NOT match(k, kept_keys))) AS is_content
SELECT
    outlay_project AS project,
    lower(hex(raw_trace_id)) AS trace_id,
    lower(hex(raw_span_id)) AS span_id,
    if(raw_parent_id = repeat('\0', 8), '', lower(hex(raw_parent_id))) AS parent_span_id,
    fromUnixTimestamp64Nano(toInt64(start_ns), 'UTC') AS started_at,
    if(end_ns < start_ns, 0, least(toUInt64(end_ns - start_ns), 34560000000000000)) AS duration_ns,
    name,
    transform(kind_code, [1, 2, 3, 4, 5], ['internal', 'server', 'client', 'producer', 'consumer'], 'unspecified') AS kind,
    transform(status_code, [1, 2], ['ok', 'error'], 'unset') AS status,
    status_message,
    service,
    service_version,
    environment,
    scope_name,
    scope_version,
    resource_attributes,
    mapFromArrays(
        arrayConcat(arrayFilter((k, p) -> p = 0, keys, places), arrayFilter((k, c) -> NOT c, array_keys, array_content)),
        arrayConcat(small_values, arrayFilter((v, c) -> NOT c, array_texts, array_content))) AS attributes,
    mapFromArrays(
        arrayConcat(arrayFilter((k, p) -> p = 1, keys, places), arrayFilter((k, c) -> c, array_keys, array_content)),
        arrayConcat(large_values, arrayFilter((v, c) -> c, array_texts, array_content))) AS texts,
    arrayMap(
        e -> (
            fromUnixTimestamp64Nano(toInt64(least(e.time_unix_nano, 9223372036854775807)), 'UTC'),
            e.name,
            CAST(arrayMap(a -> (a.key, concat(a.value.string_value, number_text(a.value))), e.attributes), 'Map(String, String)')),
        raw_events) AS events,
    arrayMap((t, s) -> (lower(hex(t)), lower(hex(s))), link_traces, link_spans) AS links,
    arrayConcat(
        outlay_flags,
        arrayFilter(
            (flag, wanted) -> wanted,
            ['no_end', 'end_before_start', 'duration_capped', 'sender_dropped_attributes', 'sender_dropped_events', 'sender_dropped_links'],
            [
                end_ns = 0,
                end_ns != 0 AND end_ns < start_ns,
                end_ns > start_ns AND toUInt64(end_ns - start_ns) > 34560000000000000,
                dropped_attributes > 0,
                dropped_events > 0,
                dropped_links > 0])) AS flags,
    outlay_body_id AS body_id,
    fromUnixTimestamp64Nano(toInt64(outlay_received_ns), 'UTC') AS received_at,
    bitOr(
        bitShiftLeft(toUInt64(least(2 * (length(keys) + length(raw_events)) + (end_ns > 0), 16777215)), 40),
        bitShiftRight(cityHash64(name, kind_code, end_ns, status_code, status_message, keys, small_values, large_values, array_texts), 24)) AS version
FROM
(
    SELECT
        * EXCEPT (strings, numbers),
        arrayMap((k, v) -> is_content(k, length(v)), array_keys, array_texts) AS array_content,
        arrayFilter((t, p) -> p = 1, strings, places) AS large_values,
        arrayMap((t, n) -> concat(t, n), arrayFilter((t, p) -> p = 0, strings, places), arrayFilter((n, p) -> p = 0, numbers, places)) AS small_values
    FROM
    (
        SELECT
            * EXCEPT (pairs, arrays),
            pairs.key AS keys,
            pairs.value.string_value AS strings,
            arrayMap(v -> number_text(v), pairs.value) AS numbers,
            arrayMap(
                (k, kind, size) -> if(kind = 'array_value', 2, is_content(k, size)),
                pairs.key,
                pairs.value.value,
                arrayMap(t -> length(t), pairs.value.string_value)) AS places,
            arrays.key AS array_keys,
            arrayMap(v -> json_array(v.array_value.values), arrays.value) AS array_texts
        FROM
        (
            SELECT
                *,
                arrayFilter(a -> a.value.value = 'array_value', pairs) AS arrays
            FROM
            (
                SELECT
                    * EXCEPT (s),
                    s.trace_id AS raw_trace_id,
                    s.span_id AS raw_span_id,
                    s.parent_span_id AS raw_parent_id,
                    s.start_time_unix_nano AS start_ns,
                    s.end_time_unix_nano AS end_ns,
                    s.name AS name,
                    s.kind AS kind_code,
                    s.status.code AS status_code,
                    s.status.message AS status_message,
                    s.attributes AS pairs,
                    s.events AS raw_events,
                    s.links.trace_id AS link_traces,
                    s.links.span_id AS link_spans,
                    s.dropped_attributes_count AS dropped_attributes,
                    s.dropped_events_count AS dropped_events,
                    s.dropped_links_count AS dropped_links,
                    s.outlay_flags AS outlay_flags
                FROM
                (
                    SELECT
                        * EXCEPT (ss),
                        toLowCardinality(ss.scope.name) AS scope_name,
                        toLowCardinality(ss.scope.version) AS scope_version,
                        arrayJoin(ss.spans) AS s
                    FROM
                    (
                        SELECT
                            *,
                            toLowCardinality(resource_attributes['service.name']) AS service,
                            toLowCardinality(resource_attributes['service.version']) AS service_version,
                            toLowCardinality(coalesce(nullIf(resource_attributes['deployment.environment.name'], ''), resource_attributes['deployment.environment'])) AS environment
                        FROM
                        (
                            SELECT
                                * EXCEPT (rs),
                                CAST(
                                    arrayMap(
                                        (k, v) -> (k, multiIf(
                                            v.value = 'array_value', json_array(v.array_value.values),
                                            v.value = 'kvlist_value', json_object(v.kvlist_value.values),
                                            concat(v.string_value, number_text(v)))),
                                        rs.resource.attributes.key,
                                        rs.resource.attributes.value),
                                    'Map(LowCardinality(String), String)') AS resource_attributes,
                                arrayJoin(rs.scope_spans) AS ss
                            FROM
                            (
                                SELECT
                                    outlay_project, outlay_body_id, outlay_received_ns, outlay_oldest_ns, outlay_newest_ns,
                                    arrayJoin(resource_spans) AS rs
                                FROM otlp_in
                            )
                        )
                    )
                )
            )
            WHERE length(raw_trace_id) = 16 AND raw_trace_id != repeat('\0', 16)
                AND length(raw_span_id) = 8 AND raw_span_id != repeat('\0', 8)
                AND length(raw_parent_id) IN (0, 8)
                AND start_ns BETWEEN outlay_oldest_ns AND outlay_newest_ns
        )
    )
);

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_to_trace_hours TO trace_hours AS
SELECT
    project,
    trace_id,
    min(toStartOfHour(started_at)) AS first_hour,
    max(toStartOfHour(started_at)) AS last_hour,
    count() AS spans
FROM spans
GROUP BY project, trace_id;

-- An evaluation that came as an event of its span.
CREATE MATERIALIZED VIEW IF NOT EXISTS spans_to_scores TO scores AS
SELECT
    project,
    trace_id,
    span_id,
    event.attributes['gen_ai.evaluation.name'] AS name,
    toFloat64OrNull(event.attributes['gen_ai.evaluation.score.value']) AS value,
    event.attributes['gen_ai.evaluation.score.label'] AS label,
    event.at AS at
FROM
(
    SELECT project, trace_id, span_id, arrayJoin(arrayFilter(e -> e.name = 'gen_ai.evaluation.result', events)) AS event
    FROM spans
)
WHERE name != '';
