-- Relation: what clean hours hold of calls that name a prompt, in the columns of store/sql/prompt_calls.sql.
-- Fragments: hours and filters (conditions on h). Parameters: project, those of the fragments.
SELECT
    h.hour AS hour,
    h.prompt AS prompt,
    h.prompt_version AS prompt_version,
    h.provider AS provider,
    h.model AS model,
    h.operation AS operation,
    h.service AS service,
    h.environment AS environment,
    h.feature AS feature,
    h.team AS team,
    h.calls AS calls,
    h.priced_calls AS priced_calls,
    h.cost_usd AS cost_usd,
    h.used_calls AS used_calls,
    h.input_tokens AS input_tokens,
    h.read_tokens AS read_tokens,
    h.answered_calls AS answered_calls,
    h.output_tokens AS output_tokens,
    h.parted_calls AS parted_calls,
    h.parted_priced_calls AS parted_priced_calls,
    h.parted_input_tokens AS parted_input_tokens,
    h.parted_input_usd AS parted_input_usd,
    h.paid_calls AS paid_calls,
    h.paid_hits AS paid_hits,
    h.paid_input_tokens AS paid_input_tokens,
    h.paid_read_tokens AS paid_read_tokens,
    h.paid_plain_tokens AS paid_plain_tokens,
    h.paid_read_usd AS paid_read_usd,
    h.paid_plain_usd AS paid_plain_usd,
    h.parts AS parts,
    h.parts_tokens AS parts_tokens,
    h.first_at AS first_at,
    h.last_at AS last_at
FROM prompt_hourly AS h FINAL
WHERE h.project = {project:String}
  AND $hours
  AND ($filters)
