"""What assistants may ask over the Model Context Protocol: tools that read, each the API's answer as it is.

A tool is a question of `/api/v1`; what it takes are that question's parameters. Nothing here can change anything: only
GET is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import click
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import Field, ValidationError

from outlay.errors import OutlayError

Answer = Callable[[str, list[tuple[str, str]], str], bytes]
"""Path, query and the caller's key, empty where it has none of its own; the body of the API's answer."""

INSTRUCTIONS = """Outlay knows what every call to a language model cost, and why. Amounts are US dollars as decimal
texts; null is unknown, never zero. Times are RFC 3339 or relative: -24h, -30d, now. Start with what_changed to say why
spend rose, then trace for one of its examples. Dimensions to group and filter by: feature, team, customer, user,
session, environment, service, provider, model, operation, status, and tag.KEY."""

Start = Annotated[str, Field(description="Start of the window: -24h, -7d, or RFC 3339.")]
End = Annotated[str, Field(description="End of the window, exclusive.")]
Filters = Annotated[
    dict[str, list[str]] | None,
    Field(description='Only calls of these, by dimension: {"feature": ["search"], "tag.plan": ["pro"]}.'),
]
Project = Annotated[str, Field(description="Project; the key's unless given.")]
BEARER = "bearer "


class ToolServer(MCPServer[Any]):
    """Takes no argument that a tool does not know: an assistant that misspells one would read another answer."""

    async def list_tools(self) -> list[Tool]:
        """The tools, with schemas that allow no other arguments."""
        tools = await super().list_tools()
        return [
            tool.model_copy(update={"input_schema": {**tool.input_schema, "additionalProperties": False}})
            for tool in tools
        ]

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Ask one.

        Raises:
            ToolError: If there is no such tool, or what it is given means nothing to it; says which and why.
        """
        taken = {tool.name: list(tool.input_schema["properties"]) for tool in await self.list_tools()}
        if name not in taken:
            raise ToolError(f"there is no tool {name!r}; there are {', '.join(taken)}")
        unknown = [argument for argument in arguments if argument not in taken[name]]
        if unknown:
            raise ToolError(f"{name} takes no {', '.join(map(repr, unknown))}; it takes {', '.join(taken[name])}")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as exc:
            if not isinstance(exc.__cause__, ValidationError):
                raise
            wrong = [
                f"{'.'.join(map(str, error['loc']))}={error['input']!r}: {error['msg']}"
                if error["type"] != "missing"
                else f"{error['loc'][0]} is required"
                for error in exc.__cause__.errors()
            ]
            raise ToolError(f"{name}: {'; '.join(wrong)}") from exc


def serve_tools(answer: Answer, version: str) -> MCPServer[Any]:
    """A server with all tools; `answer` asks the API."""
    server = ToolServer("outlay", title="Outlay", instructions=INSTRUCTIONS, version=version, log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)

    def ask(ctx: Context[Any, Any], path: str, filters: Filters, **own: str) -> CallToolResult:
        query = [(name, value) for name, value in own.items() if value]
        query += [(name, value) for name, values in (filters or {}).items() for value in values]
        try:
            body = answer(path, query, key_of(ctx.headers))
        except click.UsageError as exc:
            raise ToolError(exc.message) from exc
        except OutlayError as exc:
            raise ToolError(str(exc)) from exc
        return CallToolResult(
            content=[TextContent(type="text", text=body.decode())], structured_content=json.loads(body)
        )

    @server.tool(annotations=reads)
    def spend(
        ctx: Context[Any, Any],
        start: Start = "-30d",
        end: End = "now",
        group_by: Annotated[str, Field(description="Dimensions with commas: feature,model.")] = "",
        interval: Annotated[str, Field(description="hour, day, week, month or total.")] = "total",
        compare: Annotated[bool, Field(description="Beside the window just before.")] = False,
        filters: Filters = None,
        project: Project = "",
    ) -> CallToolResult:
        """What was spent in a window, in total and by group or over time, with tokens, errors and latency."""
        own = {"start": start, "end": end, "group_by": group_by, "interval": interval, "project": project}
        return ask(ctx, "/spend", filters, **own, compare="previous" if compare else "")

    @server.tool(annotations=reads)
    def top_spenders(
        ctx: Context[Any, Any],
        by: Annotated[str, Field(description="A dimension: feature, user, customer, team, model …")] = "feature",
        start: Start = "-30d",
        end: End = "now",
        limit: Annotated[int, Field(ge=1, le=1000, description="How many.")] = 10,
        filters: Filters = None,
        project: Project = "",
    ) -> CallToolResult:
        """Who spent most: the largest groups of one dimension; the row with `remainder` is all others together."""
        own = {"start": start, "end": end, "group_by": by, "limit": str(limit), "project": project}
        return ask(ctx, "/spend", filters, **own)

    @server.tool(annotations=reads)
    def explain(
        ctx: Context[Any, Any],
        start: Start = "-7d",
        end: End = "now",
        base_start: Annotated[str, Field(description="Start of the window to compare with.")] = "",
        base_end: Annotated[str, Field(description="Its end; the window just before unless given.")] = "",
        by: Annotated[str, Field(description="Dimension of the cells: feature, model …")] = "feature",
        filters: Filters = None,
        project: Project = "",
    ) -> CallToolResult:
        """Why spend differs between two windows: drivers that add up exactly, slices, sentences, example traces."""
        own = {"start": start, "end": end, "base_start": base_start, "base_end": base_end, "by": by}
        return ask(ctx, "/explain", filters, **own, project=project)

    @server.tool(annotations=reads)
    def what_changed(
        ctx: Context[Any, Any],
        since: Annotated[str, Field(description="Since when: -24h, -7d, or RFC 3339.")] = "-7d",
        filters: Filters = None,
        project: Project = "",
    ) -> CallToolResult:
        """What changed since a moment, against as long a time before it, and why."""
        return ask(ctx, "/explain", filters, start=since, end="now", project=project)

    @server.tool(annotations=reads)
    def budgets(ctx: Context[Any, Any], project: Project = "") -> CallToolResult:
        """Budgets: what may be spent, what is, and how likely it will be more."""
        return ask(ctx, "/budgets", None, project=project)

    @server.tool(annotations=reads)
    def forecast(
        ctx: Context[Any, Any],
        horizon: Annotated[str, Field(description="How far ahead: 30d.")] = "30d",
        budget_usd: Annotated[str, Field(description="Budget of the month, for the chance to pass it.")] = "",
        filters: Filters = None,
        project: Project = "",
    ) -> CallToolResult:
        """Spend to come with prediction intervals, the month's end, and how good such forecasts have been."""
        return ask(ctx, "/forecast", filters, horizon=horizon, budget_usd=budget_usd, project=project)

    @server.tool(annotations=reads)
    def trace(
        ctx: Context[Any, Any],
        trace_id: Annotated[str, Field(pattern="^[0-9a-fA-F]{1,32}$", description="32 hex digits.")],
        project: Project = "",
    ) -> CallToolResult:
        """Every span of a trace: what was counted, what it cost and why."""
        return ask(ctx, f"/traces/{trace_id}", None, project=project)

    return server


def key_of(headers: Mapping[str, str] | None) -> str:
    """The key that a caller over HTTP brings, empty without one.

    Raises:
        OutlayError: If it brings something else, which must not pass as nothing.
    """
    given = next((value for name, value in (headers or {}).items() if name.lower() == "authorization"), None)
    if given is None:
        return ""
    key = given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""
    if not key:
        raise OutlayError("Authorization must be: Bearer KEY")
    return key
