"""Every attribute name that Outlay writes.

`gen_ai.*` follows the OpenTelemetry semantic conventions for generative AI, release 1.40 (now in a repository of their
own; the constants in `opentelemetry.semconv._incubating` are deprecated, so the names live here). What has no standard
name is `outlay.*`; a few names that providers' own clients established are used where neither has one.

Totals include their parts: `gen_ai.usage.input_tokens` includes cached tokens, `.output_tokens` includes reasoning.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.40.0"
SCOPE: Final = "outlay"  # name of our instrumentation scope

# --- the call
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # seconds
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_STATUS: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"

# --- usage
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_AUDIO_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
INPUT_IMAGE_TOKENS: Final = "gen_ai.usage.image.input_tokens"
CACHE_READ_AUDIO_TOKENS: Final = "gen_ai.usage.audio.cache_read.input_tokens"
OUTPUT_AUDIO_TOKENS: Final = "gen_ai.usage.audio.output_tokens"
OUTPUT_IMAGE_TOKENS: Final = "gen_ai.usage.image.output_tokens"
CACHE_WRITE_1H_TOKENS: Final = "outlay.usage.cache_write_1h.input_tokens"
USAGE_ESTIMATED: Final = "outlay.usage.estimated"
OTHER_USAGE_PREFIX: Final = "outlay.usage."  # + name: web_searches, search_units, input_characters …
COST_USD: Final = "outlay.cost.usd"
REGION: Final = "outlay.region"  # where the provider says it answered: us, eu-west-1 …

# The billed tier. Anthropic's client established a name of its own; every other provider goes under OpenAI's.
SERVICE_TIER: Final = "openai.response.service_tier"
SERVICE_TIER_ANTHROPIC: Final = "anthropic.response.service_tier"


def service_tier_key(provider: str) -> str:
    """The name that a provider's tier goes under."""
    return SERVICE_TIER_ANTHROPIC if provider == "anthropic" else SERVICE_TIER


# --- what the call was for
FEATURE: Final = "outlay.feature"
TEAM: Final = "outlay.team"
CUSTOMER: Final = "outlay.customer"
TASK: Final = "outlay.task"
USER: Final = "user.id"
SESSION: Final = "session.id"
CONVERSATION: Final = "gen_ai.conversation.id"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "outlay.prompt.version"
TAG_PREFIX: Final = "outlay.tag."

# Keywords of `tags()`, `track()` and `record()` that have an attribute of their own; any other is a free tag.
TAG_ATTRIBUTES: Final[dict[str, str]] = {
    "conversation": CONVERSATION,
    "customer": CUSTOMER,
    "feature": FEATURE,
    "prompt": PROMPT_NAME,
    "prompt_version": PROMPT_VERSION,
    "session": SESSION,
    "task": TASK,
    "team": TEAM,
    "user": USER,
}

# --- the levers
CASCADE_NAME: Final = "outlay.cascade.name"
CASCADE_RUN_ID: Final = "outlay.cascade.run_id"
CASCADE_TIER: Final = "outlay.cascade.tier"
CASCADE_OUTCOME: Final = "outlay.cascade.outcome"
CASCADE_CONFIDENCE: Final = "outlay.cascade.confidence"
CASCADE_THRESHOLD: Final = "outlay.cascade.threshold"
CASCADE_FORCED: Final = "outlay.cascade.forced"  # the run ended here with an answer that nothing accepted
CASCADE_JUDGE: Final = "outlay.cascade.judge"  # the call judges an answer of the attempt, and is none itself
CACHE_KIND: Final = "outlay.cache.kind"
CACHE_HIT: Final = "outlay.cache.hit"
CACHE_SIMILARITY: Final = "outlay.cache.similarity"
CACHE_AVOIDED_INPUT_TOKENS: Final = "outlay.cache.avoided.input_tokens"
CACHE_AVOIDED_OUTPUT_TOKENS: Final = "outlay.cache.avoided.output_tokens"
ATTEMPT: Final = "outlay.attempt"
REQUEST_ID: Final = "outlay.request_id"
BATCH_ID: Final = "outlay.batch.id"  # batch or results file that the call was read from
BATCH_CUSTOM_ID: Final = "outlay.batch.custom_id"  # what the application called the request in its batch
STREAM_END: Final = "outlay.stream.end"  # complete, abandoned or cut
ROUTE_TIER: Final = "outlay.route.tier"
ROUTE_REASON: Final = "outlay.route.reason"
ROUTE_PROPENSITY: Final = "outlay.route.propensity"  # probability with which this tier was to be chosen
EXPERIMENT_NAME: Final = "outlay.experiment.name"
EXPERIMENT_ARM: Final = "outlay.experiment.arm"
EXPERIMENT_PROPENSITY: Final = "outlay.experiment.propensity"  # share of units that get this arm
EXPERIMENT_TAG_PREFIX: Final = TAG_PREFIX + "experiment."  # + name of an experiment around the innermost one
PROMPT_PART_PREFIX: Final = "outlay.prompt.part."  # + name + PROMPT_PART_SUFFIX
PROMPT_PART_SUFFIX: Final = ".tokens"

_PASSED_ON: Final = (
    *TAG_ATTRIBUTES.values(),
    EXPERIMENT_NAME,
    EXPERIMENT_ARM,
    EXPERIMENT_PROPENSITY,
    ROUTE_TIER,
    ROUTE_REASON,
    ROUTE_PROPENSITY,
)
_PASSED_ON_PREFIXES: Final = (TAG_PREFIX, PROMPT_PART_PREFIX)


def is_passed_on(attribute: str) -> bool:
    """Whether what a tracked function says of itself holds for the calls inside, too."""
    return attribute in _PASSED_ON or attribute.startswith(_PASSED_ON_PREFIXES)


# --- evaluations
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

# --- content, only when asked for
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"

# --- resource
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
ENVIRONMENT: Final = "deployment.environment.name"
