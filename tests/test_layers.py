"""Imports point one way: web → analytics → the collector's store → sdk."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("sdk", "collector", "analytics", "web")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "outlay": (),
    "outlay_collector": ("outlay",),
    "outlay_analytics": ("outlay", "outlay_collector.store"),
    "outlay_web": ("outlay", "outlay_analytics", "outlay_collector"),
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            whole = node.module in MAY_IMPORT  # `from outlay_collector import store` imports outlay_collector.store
            yield from (f"{node.module}.{alias.name}" if whole else node.module for alias in node.names)


def test_imports_point_one_way() -> None:
    wrong = []
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            package = path.relative_to(ROOT / folder).parts[0]
            allowed = (package, *MAY_IMPORT[package])
            for name in imported(path):
                ours = name.split(".")[0] in MAY_IMPORT
                if ours and not any(name == one or name.startswith(one + ".") for one in allowed):
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_store_knows_nothing_of_what_is_built_on_it() -> None:
    wrong = []
    for path in (ROOT / "collector" / "outlay_collector" / "store").rglob("*.py"):
        for name in imported(path):
            if name.startswith("outlay_") and not name.startswith("outlay_collector.store"):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_sdk_needs_only_opentelemetry_and_the_standard_library() -> None:
    import sys

    may = {"outlay", "opentelemetry", *sys.stdlib_module_names}
    wrong = []
    for path in (ROOT / "sdk").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:  # at module level: hooks import the client they patch inside functions
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            wrong += [f"{path.relative_to(ROOT)} imports {n}" for n in names if n.split(".")[0] not in may]
    assert not wrong, "\n".join(wrong)
