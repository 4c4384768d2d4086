"""docs/dialects.md, printed from the tables: `python -m outlay_collector.dialects.docs`."""

from __future__ import annotations

from outlay_collector.dialects import DIALECTS, common
from outlay_collector.dialects.inherited import FEATURE, NEAREST
from outlay_collector.dialects.model import Dialect
from outlay_collector.dialects.vocabulary import WORDS

INTRODUCTION = """\
# Dialects

How Outlay reads the spans of each library. Printed from the tables in `collector/outlay_collector/dialects/` by
`make docs`; a test compares the two.

Whatever a library counts, a call's `input_tokens` include cached reads and writes and its `output_tokens` include
reasoning. A table says how to recognize a dialect (the instrumentation scope, and its version where older ones meant
something else; failing that an attribute that gives it away), where each field stands, and which counts leave parts
out. Sizes and totals overrule a table: a cached part
that is larger than the input cannot be inside it. Where nothing is said, a field is unknown, never zero. Of two
spans that speak of one request the lower rank is believed.

`a#b.0` is the value at path `b.0` of the JSON text in attribute `a`. After a dialect's own names for a field, the
common names at the end of this page are asked.

A library without a table is read by the OpenTelemetry GenAI conventions and the common names; its calls carry the flag
`unknown_library`.

## Adding a library

One table and one capture. Say the library *Acme Trace* calls its scope `acme.trace`, marks model calls with
`acme.kind = "model"`, counts Anthropic's prompt tokens without cached ones, and times the first token in milliseconds:

```python
# collector/outlay_collector/dialects/acme.py
TABLE = Dialect(
    name="acme",
    title="Acme Trace",
    scopes=("acme.trace",),
    rank=30,
    kinds=(Kind("acme.kind", {"model": (CALL, "chat"), "embedding": (CALL, "embeddings")}, otherwise=AGGREGATE),),
    fields={
        "request_model": ("acme.model",),
        "input_tokens": ("acme.tokens.in",),
        "output_tokens": ("acme.tokens.out",),
        "cache_read_tokens": ("acme.tokens.cached",),
        "ttft_ms": ("acme.first_token_ms",),
    },
    input_excludes_cached=("anthropic",),
)
```

Add `acme.TABLE` to `DIALECTS` in `dialects/__init__.py`, put a recorded export with its `expected.json` into
`tests/data/otlp-corpus`, and run `tests/integration/test_settle_corpus.py`. There is no code to write: settle
looks up whatever the tables say.
"""
WHAT_FOR = """## What a call is for

A call's feature is the first of these that its span, or one above it, says. A list counts as its first text; what a
library puts where its user said nothing (LangSmith's project `default`) counts as not said. A name with `#` is a path
inside a text, JSON or a Python repr: LiteLLM's proxy hands its callers' `metadata` on as one.
"""
OWN_ATTRIBUTES = """Attributes of your own go before all of these but `outlay.feature`, and are asked of the resource,
too; `[attributes]` of outlay.toml names them and gives values other words ([settings](settings.md)). `outlay resettle`
applies a change to what is stored.

Libraries that name neither a feature nor an agent, a workflow or a root span (a bare OpenAI, Anthropic or Gemini
instrumentation) have the route of the request that they serve, or else the service's name. Calls have no feature only
where nothing of this is said: there the sender names not even its service.
"""


def markdown() -> str:
    """The page docs/dialects.md holds."""
    parts = [INTRODUCTION, "## Libraries\n", _overview()]
    parts += [_section(dialect) for dialect in DIALECTS]
    parts += [_inherited(), _common()]
    return "\n".join(parts)


def _overview() -> str:
    rows = [
        "| dialect | recognized by | input leaves out cached | output leaves out reasoning | rank |",
        "|---|---|---|---|---:|",
    ]
    for d in DIALECTS:
        scopes = ", ".join(_scope(scope).replace("…", "") for scope in d.scopes[:3])
        scopes += " …" if len(d.scopes) > 3 else ""
        rows.append(
            f"| [{d.title}](#{d.name}) | {scopes} | {', '.join(d.input_excludes_cached) or '–'} "
            f"| {', '.join(d.output_excludes_reasoning) or '–'} | {d.rank} |"
        )
    return "\n".join(rows) + "\n"


def _section(dialect: Dialect) -> str:
    lines = [f'<a id="{dialect.name}"></a>', f"### {dialect.title}", ""]
    lines += [f"- {note}" for note in dialect.notes]
    if dialect.scopes:
        lines.append("- scopes: " + ", ".join(map(_scope, dialect.scopes)))
    if dialect.marks:
        lines.append("- or by attributes: " + ", ".join(f"`{mark}`" for mark in dialect.marks))
    for kind in dialect.kinds:
        values = ", ".join(f"{value} = {role}" for value, (role, _) in kind.values.items())
        lines.append(f"- `{kind.key}`: {values}" + (f", anything else = {kind.otherwise}" if kind.otherwise else ""))
    for blob in dialect.usage:
        what = f"`{blob.part}` of a usage object" if blob.part else "usage object"
        lines.append(f"- {what} in `{blob.key}{'#' + blob.path if blob.path else ''}`, counted {blob.style}")
    if dialect.fields:
        lines += ["", "| field | stands in |", "|---|---|"]
        lines += [f"| {field} | {_list(found)} |" for field, found in dialect.fields.items()]
    return "\n".join([*lines, ""])


def _scope(scope: str) -> str:
    name, _, version = scope.partition("@<")
    before = f" before {version}" if version else ""
    return f"`{name.rstrip('$')}`{'' if name.endswith('$') else '…'}{before}"


def _common() -> str:
    lines = ["## Common names", "", "| field | stands in |", "|---|---|"]
    lines += [f"| {field} | {_list(found)} |" for field, found in common.FIELDS.items()]
    lines += ["", "Words of usage objects in JSON:", "", "| field | words |", "|---|---|"]
    lines += [f"| {field} | {_list(found)} |" for field, found in WORDS.items()]
    return "\n".join([*lines, ""])


def _inherited() -> str:
    lines = [WHAT_FOR, *(f"{n}. {source.words}" for n, source in enumerate(FEATURE, start=1))]
    lines += [f"{len(FEATURE) + 1}. `service.name`, unless nobody named the service or Outlay's SDK wrote the span", ""]
    lines += ["Everything else is what the nearest span above says, the call's own first:", ""]
    lines += ["| field | stands in |", "|---|---|"]
    lines += [f"| {field} | {_list(found)} |" for field, found in NEAREST.items()]
    return "\n".join([*lines, "", OWN_ATTRIBUTES])


def _list(found: tuple[str, ...]) -> str:
    return ", ".join(f"`{source}`" for source in found)


if __name__ == "__main__":
    print(markdown(), end="")
