-- Question: which tools were called in the traces of calls that were sent definitions of tools?
-- Fragments: filters (conditions on c). Parameters: project, start, end, prompts, max_rows.
-- Result: one row per prompt and tool that a span in the same trace says was executed, each with how many traces did.
SELECT
    sent.prompt AS prompt,
    s.tool AS tool,
    uniqExact(s.trace_id) AS traces
FROM
(
    SELECT
        trace_id,
        arrayFirst(
            word -> word != '',
            [attributes['gen_ai.tool.name'], attributes['tool.name'], attributes['traceloop.entity.name'], replaceOne(name, 'execute_tool ', '')]
        ) AS tool
    FROM spans
    WHERE project = {project:String}
      AND started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND started_at < toDateTime64({end:String}, 9, 'UTC') + INTERVAL 1 HOUR
      AND (
          attributes['gen_ai.operation.name'] = 'execute_tool'
          OR attributes['openinference.span.kind'] = 'TOOL'
          OR attributes['traceloop.span.kind'] = 'tool'
      )
) AS s
INNER JOIN
(
    SELECT DISTINCT c.trace_id AS trace_id, c.prompt AS prompt
    FROM calls AS c FINAL
    WHERE c.project = {project:String}
      AND c.started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND c.started_at < toDateTime64({end:String}, 9, 'UTC')
      AND c.prompt IN {prompts:Array(String)}
      AND arrayExists(part -> part = 'tools' OR startsWith(part, 'tools.'), mapKeys(c.prompt_parts))
      AND ($filters)
) AS sent ON s.trace_id = sent.trace_id
GROUP BY prompt, tool
ORDER BY prompt, traces DESC, tool
LIMIT {max_rows:UInt32}
