"""ClickHouse statements as the fake cluster reads them."""

from __future__ import annotations

import re

NAME = r"(?:`[^`]+`|\w+)"
PLACE = rf"(?:(?P<database>{NAME})\.)?(?P<table>{NAME})"
ON_CLUSTER = re.compile(r" ON CLUSTER `(?P<name>[^`]+)`")
DATABASE = re.compile(rf"(?P<verb>CREATE|DROP) DATABASE (?:IF (?:NOT )?EXISTS )?(?P<name>{NAME})")
DDL = re.compile(
    r"(?P<verb>CREATE (?:OR REPLACE )?TABLE|CREATE MATERIALIZED VIEW|DROP TABLE|DROP VIEW|ALTER TABLE|TRUNCATE TABLE)"
    rf"(?P<exists> IF (?:NOT )?EXISTS)? {PLACE}"
)
INTO = re.compile(rf"\s*INSERT INTO {PLACE}")
REPLICATED = re.compile(
    r"ENGINE = Replicated(?P<engine>\w+)\('/clickhouse/tables/(?P<where>[^/]+)/[^']+', '[^']+'(?:, )?"
)
DISTRIBUTED = re.compile(r"Distributed\('two', '(?P<database>\w+)', '(?P<table>\w+)'(?:, (?P<key>.+))?\)$")
VIEW = re.compile(rf"(?P<head>CREATE MATERIALIZED VIEW .+?) TO {PLACE} AS\b(?P<body>.+)", re.DOTALL)
TEMPORARY = re.compile(r"CREATE (?:OR REPLACE )?TEMPORARY TABLE (?:IF NOT EXISTS )?(?P<name>\w+)")
TOKEN = re.compile(r"(?P<skip>\s+|--[^\n]*)|'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\w+|.", re.DOTALL)
READ_ONLY = re.compile(r"(?:\s|--[^\n]*\n|\()*(SELECT|WITH|SHOW|DESCRIBE|EXPLAIN|EXISTS|KILL)\b", re.IGNORECASE)


def selected(sql: str) -> str:
    """The SELECT in a statement."""
    depth = 0
    for found in TOKEN.finditer(sql):
        token = found.group()
        depth += (token == "(") - (token == ")")
        if depth == 0 and token.upper() in ("SELECT", "WITH"):
            return sql[found.start() :]
    return "SELECT 1"


def bare(name: str) -> str:
    return name.strip("`")


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
