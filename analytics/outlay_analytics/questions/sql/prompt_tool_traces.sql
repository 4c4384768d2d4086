-- Condition on c: a span of its trace says that a tool was executed. Parameters: project, start, end.
c.trace_id IN (
    SELECT trace_id
    FROM spans
    WHERE project = {project:String}
      AND started_at >= toDateTime64({start:String}, 9, 'UTC')
      AND started_at < toDateTime64({end:String}, 9, 'UTC') + INTERVAL 1 HOUR
      AND (
          attributes['gen_ai.operation.name'] = 'execute_tool'
          OR attributes['openinference.span.kind'] = 'TOOL'
          OR attributes['traceloop.span.kind'] = 'tool'
      )
)
