"""Metering without a line of code: `outlay run`, OpenTelemetry's entry points, and features by route, task or function.

Enters: a command to run, or a process that OpenTelemetry instruments; frameworks as they are imported.
Leaves: a started SDK; scopes with a feature around what frameworks call.
May import: export, tracing, wire.
"""
