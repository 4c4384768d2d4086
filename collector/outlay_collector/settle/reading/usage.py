"""What a span counts, in canonical form: input includes cached reads and writes, output includes reasoning.

A dialect's table says what its counts include; totals and sizes overrule it. A count that nothing says is UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay_collector.settle.facts import UNKNOWN, Bools, Ints


@dataclass(frozen=True, eq=False)
class Written:
    """Counts as they are written, by span."""

    input: Ints
    input_in_object: Ints
    """Of a usage object, which may count otherwise than the attributes beside it."""
    output: Ints
    output_in_object: Ints
    total: Ints
    compaction: dict[str, Ints]
    """Input, cache reads and writes and output of what is billed beside the answer, by side."""
    compaction_excludes_cached: Bools
    """Its input leaves cached tokens out."""
    cache_read: Ints
    cache_write: Ints
    cache_write_5m: Ints
    cache_write_1h: Ints
    reasoning: Ints
    tool_prompt: Ints
    """Prompts of the provider's own tools, which Gemini counts beside the prompt."""
    total_has_tool_prompts: Bools
    """The provider's total has them where nothing else does."""
    table_excludes_cached: Bools
    """The dialect's input leaves cached tokens out."""
    table_excludes_reasoning: Bools
    """The dialect's output leaves reasoning out."""
    object_excludes_cached: Bools
    """The usage object's input does."""
    object_excludes_reasoning: Bools
    """The usage object's output does."""


@dataclass(frozen=True, eq=False)
class Usage:
    """Counts in canonical form, by span."""

    input: Ints
    output: Ints
    cache_read: Ints
    cache_write: Ints
    cache_write_1h: Ints
    reasoning: Ints
    parts: Ints
    """Cached reads and writes, which input includes; 0 where none are known."""
    corrects_input: Bools
    """Totals or sizes say that input leaves cached tokens out, and the table does not."""
    adds_tool_prompts: Bools
    """The total has prompts of tools that no other count has; they are input."""
    corrects_output: Bools
    """They say that output leaves reasoning out, and the table does not."""
    cached_unknown: Bools
    """Input is told as the wire does, which leaves cached tokens out, and nothing tells of these."""
    split_larger: Bools
    """The writes by how long they last are more than the writes."""


def canonical(said: Written) -> Usage:
    """Counts as OpenTelemetry means them."""
    # Attributes that count nothing hide no usage object that does.
    hollow = (said.input <= 0) & (said.output <= 0) & ((said.input_in_object > 0) | (said.output_in_object > 0))
    has_input, has_output = (said.input != UNKNOWN) & ~hollow, (said.output != UNKNOWN) & ~hollow
    input_plain = np.where(has_input, said.input, said.input_in_object)
    output_plain = np.where(has_output, said.output, said.output_in_object)
    total, output_0 = said.total, _or_0(output_plain)
    has_total = total != UNKNOWN
    write_split = _or_0(said.cache_write_5m) + _or_0(said.cache_write_1h)
    write_known = (said.cache_write != UNKNOWN) | (said.cache_write_5m != UNKNOWN) | (said.cache_write_1h != UNKNOWN)
    write = np.maximum(_or_0(said.cache_write), write_split)
    parts = _or_0(said.cache_read) + write
    reasoning = _or_0(said.reasoning)

    # The attribute copies the count of an object that leaves cached tokens out.
    copies = has_input & said.object_excludes_cached & (said.input == said.input_in_object)
    whole_in_object = has_total & (said.input_in_object != UNKNOWN) & (total == said.input_in_object + output_0)
    beside = has_total & (total == said.input + parts + output_0)
    input_excludes = (parts > 0) & np.where(
        has_input,
        (said.input < parts) | beside | said.table_excludes_cached | copies,
        said.object_excludes_cached & ~whole_in_object,
    )
    # No input beside some output is a count that got lost, not a request without a prompt.
    lost = (output_plain > 0) & (input_plain == 0) & (parts == 0)
    tools = np.where(_tools_beside(said, has_input, input_plain, output_0), _or_0(said.tool_prompt), 0)
    missing = lost | (input_plain == UNKNOWN)
    counted_in = np.where(missing, UNKNOWN, input_plain + tools + np.where(input_excludes, parts, 0))

    known_excludes = np.where(has_output, said.table_excludes_reasoning, said.object_excludes_reasoning)
    input_0, has_plain = _or_0(counted_in), output_plain != UNKNOWN
    output_excludes = (reasoning > 0) & (
        (has_plain & (reasoning > output_plain))
        | (has_total & has_plain & (total == input_0 + output_plain + reasoning))
        | (known_excludes & ~(has_total & has_plain & (total == input_0 + output_plain)))
    )
    # Reasoning got lost on the way, but the provider's total still has it.
    in_total = known_excludes & (said.reasoning == UNKNOWN) & has_total & has_plain & (counted_in != UNKNOWN)
    in_total &= total > counted_in + output_plain
    counted_out = np.where(output_excludes & has_plain, output_plain + reasoning, output_plain)
    answered = np.where(in_total & ~output_excludes, total - counted_in, counted_out)
    # Where thoughts are told, what the total has beyond both sides are prompts of tools.
    untold = said.total_has_tool_prompts & has_total & (said.reasoning != UNKNOWN) & (said.tool_prompt == UNKNOWN)
    untold &= (counted_in != UNKNOWN) & (answered != UNKNOWN) & (total > counted_in + answered)
    counted_in = np.where(untold, total - answered, counted_in)
    more = {side: _or_0(count) for side, count in said.compaction.items()}
    more_parts = more["cache_read"] + more["cache_write"]
    excludes = said.compaction_excludes_cached | (more["input"] < more_parts)
    more_in = more["input"] + np.where(excludes, more_parts, 0)
    return Usage(
        # What the answer itself used is not known by what was used beside it.
        input=np.where(counted_in != UNKNOWN, counted_in + more_in, UNKNOWN),
        output=np.where(answered != UNKNOWN, answered + more["output"], UNKNOWN),
        cache_read=_plus(said.cache_read, more["cache_read"]),
        cache_write=_plus(np.where(write_known, write, UNKNOWN), more["cache_write"]),
        cache_write_1h=said.cache_write_1h,
        reasoning=said.reasoning,
        parts=parts + more_parts,
        corrects_input=input_excludes & has_input & ~said.table_excludes_cached & ~copies,
        adds_tool_prompts=untold,
        corrects_output=output_excludes & ~known_excludes,
        cached_unknown=has_input
        & said.table_excludes_cached
        & (said.cache_read == UNKNOWN)
        & ~write_known
        & (said.input_in_object == UNKNOWN),
        split_larger=(said.cache_write != UNKNOWN) & (write_split > said.cache_write),
    )


def _tools_beside(said: Written, has_input: Bools, given: Ints, produced: Ints) -> Bools:
    """Where the input leaves prompts of tools out: the total tells, else whether it copies the provider's count, which
    does, else its size. OpenTelemetry counts them in."""
    tools, reasoning = _or_0(said.tool_prompt), _or_0(said.reasoning)
    inside = (said.total == given + produced) | (said.total == given + produced + reasoning)
    beside = (said.total == given + tools + produced) | (said.total == given + tools + produced + reasoning)
    copies = (said.input_in_object != UNKNOWN) & (given == said.input_in_object)
    usual = np.where(has_input & ~copies, tools > given, True)
    return (tools > 0) & np.where(inside | beside, beside & ~inside, usual)


def _plus(count: Ints, more: Ints) -> Ints:
    """A part of the input and what comes on top; unknown where neither is known."""
    return np.where(more > 0, _or_0(count) + more, count)


def _or_0(count: Ints) -> Ints:
    return np.maximum(count, 0)
