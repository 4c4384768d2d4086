"""What a call is for, by what spans already say: its own, and those above it.

A feature is said in many ways, of which the first in the order of `FEATURE` counts, however far above the call it
stands; of several spans that say it in one way the nearest. Everything else is inherited from the nearest span that
says it, there by the order of its names. A value that is a list counts as its first text. A name with `#` is a path
inside a text (`key#a.b`): LiteLLM's proxy hands on what its callers say of a request as one Python repr.

Sources: OpenTelemetry GenAI and HTTP semantic conventions, the libraries' documentation of what their users set, and
the recorded exports in tests/data/otlp-corpus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# How libraries spell what their users attach to a trace, before a name of the users' own.
_METADATA = (
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
    "trace.metadata.",
    "lmnr.association.properties.",
    "metadata.",
    "litellm.metadata.",
    "metadata.requester_metadata#",
)


@dataclass(frozen=True)
class Source:
    """One way in which spans say something."""

    key: str = ""
    """The attribute, or `attribute#path` of a value inside its text; empty = the span's name."""
    dialects: tuple[str, ...] = ()
    """Only on spans of these dialects; empty = on any."""
    server_only: bool = False
    """Only on spans that a server wrote: a client's say what it asked for."""
    outermost: bool = False
    """Of several spans the one farthest above counts, not the nearest."""
    not_a_name: tuple[str, ...] = ()
    """Values that a library sets where its user said nothing."""

    @property
    def words(self) -> str:
        """As the documentation lists it."""
        where = f" of the outermost {', '.join(self.dialects)} span that is no call" if self.outermost else ""
        where += " of the server span above" if self.server_only else ""
        return (f"`{self.key}`" if self.key else "the name") + where


def _attached(*names: str) -> tuple[str, ...]:
    return tuple(beginning + name for beginning in _METADATA for name in names)


FEATURE: tuple[Source, ...] = (
    Source("outlay.feature"),
    *map(Source, _attached("feature")),
    Source("traceloop.workflow.name"),
    Source("traceloop.entity.name"),
    Source("ai.telemetry.functionId"),
    Source("langfuse.trace.name"),
    Source(dialects=("langfuse",), outermost=True),
    Source("trace.name"),
    Source("metadata.requester_metadata#trace_name"),
    Source("langfuse.trace.tags"),
    Source("metadata.requester_metadata#tags"),
    Source("metadata.requester_metadata#generation_name"),
    Source(dialects=("langsmith",), outermost=True),
    Source("langsmith.trace.session_name", not_a_name=("default",)),
    Source("gen_ai.agent.name"),
    Source("agent.name"),
    Source("agent_name"),
    Source("gen_ai.workflow.name"),
    Source(dialects=("logfire", "mlflow"), outermost=True),
    Source(
        dialects=("openinference_langchain", "openinference_langchain_old"),
        outermost=True,
        not_a_name=(  # LangChain's own classes, where no run was named
            *("RunnableSequence", "RunnableParallel", "RunnableMap", "RunnableLambda", "RunnableBranch"),
            *("RunnableAssign", "RunnablePassthrough", "RunnableRetry", "RunnableWithFallbacks", "RunnableAgent"),
            *("RunnableWithMessageHistory", "AgentExecutor", "LangGraph", "CompiledStateGraph", "LLMChain"),
            *("ChatPromptTemplate", "PromptTemplate", "StrOutputParser", "StringOutputParser", "JsonOutputParser"),
        ),
    ),
    Source(
        "http.route",
        server_only=True,
        not_a_name=(  # of a gateway every call has one of these
            *("/v1/chat/completions", "/chat/completions", "/v1/completions", "/completions", "/v1/responses"),
            *("/responses", "/v1/messages", "/v1/embeddings", "/embeddings", "/v1/images/generations", "/v1/rerank"),
        ),
    ),
    # Whose key it was: of a gateway all calls have one service, and often a key for each of what they are for.
    Source("metadata.user_api_key_alias"),
    Source("litellm.metadata.user_api_key_alias"),
    Source("trace.metadata.openrouter.api_key_name"),
)
"""Ways to say a feature, in order. After them all the service's name, where the span is not Outlay's own."""
UNNAMED_SERVICE = "unknown_service"
"""Begins what OpenTelemetry calls a service that nobody named."""

# What else a call inherits: name in `calls` and attributes, first wins.
NEAREST: dict[str, tuple[str, ...]] = {
    "team": (
        "outlay.team",
        "metadata.user_api_key_team_alias",
        "metadata.user_api_key_team_id",
        "litellm.team.alias",
        "litellm.team.id",
        *_attached("team", "team_id", "teamId"),
    ),
    "customer": (
        "outlay.customer",
        "metadata.user_api_key_end_user_id",
        "litellm.metadata.user_api_key_end_user_id",
        "metadata.user_api_key_org_alias",
        *_attached("customer", "customer_id", "customerId"),
    ),
    "task": ("outlay.task",),
    "user": (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "gen_ai.request.user",
        *_attached("user_id", "userId", "user"),
        "metadata.requester_metadata#trace_user_id",
        "metadata.user_api_key_user_id",
        "litellm.metadata.user_api_key_user_id",
    ),
    "session": (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        *_attached("session_id", "sessionId", "thread_id", "threadId", "conversation_id", "chat_id", "chatId"),
    ),
    "prompt": ("gen_ai.prompt.name", "langfuse.observation.prompt.name", "traceloop.prompt.key"),
    "prompt_version": (
        "outlay.prompt.version",
        "gen_ai.prompt.version",
        "langfuse.observation.prompt.version",
        "traceloop.prompt.version",
    ),
    "experiment": ("outlay.experiment.name",),
    "arm": ("outlay.experiment.arm",),
    "arm_propensity": ("outlay.experiment.propensity",),
    "route_tier": ("outlay.route.tier",),
    "route_reason": ("outlay.route.reason",),
    "route_propensity": ("outlay.route.propensity",),
    "cascade_name": ("outlay.cascade.name",),
    "cascade_run_id": ("outlay.cascade.run_id",),
    "cascade_tier": ("outlay.cascade.tier",),
    "cascade_outcome": ("outlay.cascade.outcome",),
    "cascade_confidence": ("outlay.cascade.confidence",),
    "cascade_threshold": ("outlay.cascade.threshold",),
    "cascade_forced": ("outlay.cascade.forced",),
    "cascade_judge": ("outlay.cascade.judge",),
}
# Inherited as a whole: a span that says one of a group's names hides all of the group above it.
GROUPS: dict[str, tuple[str, ...]] = {
    "experiment": ("experiment", "arm", "arm_propensity"),
    "route_tier": ("route_tier", "route_reason", "route_propensity"),
    "cascade_run_id": (
        "cascade_name",
        "cascade_run_id",
        "cascade_tier",
        "cascade_outcome",
        "cascade_confidence",
        "cascade_threshold",
        "cascade_forced",
    ),
}
MAPPED = ("feature", "team", "customer", "user", "session", "task", "prompt", "prompt_version")
"""What `[attributes]` of outlay.toml may name: own keys, and other values."""


@dataclass(frozen=True)
class Place:
    """A way to say something, as calls inherit it."""

    name: str
    """What it is called on the way down: the dimension's own name where the nearest span that says it counts."""
    dimension: str
    source: Source
    in_resource: bool = False
    """It is asked of the span's resource."""


@dataclass(frozen=True)
class Inherited:
    """Where spans say what calls inherit, the preferred first."""

    places: tuple[Place, ...]

    @property
    def asks_resources(self) -> tuple[str, ...]:
        """Attributes that are looked for in resources, too."""
        return tuple(dict.fromkeys(place.source.key for place in self.places if place.in_resource))


def inherited(own: Mapping[str, tuple[str, ...]] | None = None) -> Inherited:
    """The places of everything that calls inherit.

    Args:
        own: By dimension, attributes that go before what libraries say, of spans and of resources. A feature that the
            code itself names (`outlay.feature`) goes before them, unless they list that, too.
    """
    own = own or {}
    places = [*_features(own.get("feature", ()))]
    for dimension, keys in NEAREST.items():
        mine = own.get(dimension, ())
        each = dict.fromkeys((*mine, *keys))
        places += [Place(dimension, dimension, Source(key)) for key in each]
        # What a resource says holds for all its spans, so that any span goes before it.
        places += [Place(f"{dimension} of resource", dimension, Source(key), in_resource=True) for key in mine]
    return Inherited(tuple(places))


def _features(own: tuple[str, ...]) -> list[Place]:
    known = {source.key: source for source in FEATURE if source.key}
    mine = [known.get(key, Source(key)) for key in own]
    first = [] if "outlay.feature" in own else [FEATURE[0]]
    places = [_feature(source) for source in first]
    for source in mine:
        places += [_feature(source), _feature(source, in_resource=True)]
    return places + [_feature(source) for source in FEATURE if source not in (*first, *mine)]


def _feature(source: Source, *, in_resource: bool = False) -> Place:
    key = source.key or f"name of {', '.join(source.dialects)}"
    if source == FEATURE[0] and not in_resource:
        return Place("feature", "feature", source)
    return Place(f"feature {key}{' of resource' if in_resource else ''}", "feature", source, in_resource)


OUTERMOST = frozenset(_feature(source).name for source in FEATURE if source.outermost)
"""Names of places of which the span farthest above counts."""
