"""Imports point one way: web → analytics → the collector's store → sdk."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("sdk", "collector", "analytics", "web")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "outlay": (),
    "outlay_collector": ("outlay",),
    "outlay_analytics": ("outlay", "outlay_collector.store", "outlay_collector.prices"),
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


def imports_inside_the_sdk() -> dict[str, set[str]]:
    """Module → modules of the SDK that it imports, also inside of functions and for types alone."""
    files = {}
    for path in (ROOT / "sdk").rglob("*.py"):
        files[".".join(path.relative_to(ROOT / "sdk").with_suffix("").parts).removesuffix(".__init__")] = path
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                names |= {name if name in files else node.module for name in whole}
        found[module] = {name for name in names if name in files} - {module, "outlay"}
    return found


def test_no_modules_of_the_sdk_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(imports_inside_the_sdk()).prepare()
    except CycleError as circle:
        raise AssertionError(" → ".join(circle.args[1])) from None


def test_what_parses_answers_knows_nothing_of_spans_in_progress_or_hooks() -> None:
    may = ("outlay.parsing", "outlay.usage", "outlay.semconv", "outlay._safely", "outlay._text")
    found = imports_inside_the_sdk()
    assert [
        f"{module} imports {name}"
        for module, names in found.items()
        if module.startswith("outlay.parsing")
        for name in names
        if not name.startswith(may)
    ] == []
    assert any(module.startswith("outlay.parsing.") for module in found)


def test_nothing_that_ships_needs_what_only_a_checkout_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = project["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    modules = {".".join(Path(name).with_suffix("").parts[1:]) for name in left_out}
    assert all((ROOT / name).is_file() for name in left_out)
    shipped = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in shipped
        if str(path.relative_to(ROOT)) not in left_out
        for name in imported(path)
        if name in modules
    ] == []


MAX_LINES = 300
KINDS = {".py", ".sql", ".html", ".css", ".js"}
LONGER = {  # files that have more lines, and why they are one
    "collector/outlay_collector/prices/sql/price.sql": "one statement: the rules of pricing, read from top to bottom",
    "web/outlay_web/static/outlay.css": "one style sheet, so that a page asks once",
}


def test_a_file_has_one_idea_or_a_reason_to_be_long() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in (*FOLDERS, "benchmarks", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in KINDS and "node_modules" not in path.parts
    }
    long = {name: count for name, count in lines.items() if count > MAX_LINES}
    unexplained = {name: count for name, count in long.items() if name not in LONGER}
    assert unexplained == {}, "split them by idea, or say in LONGER why each is one"
    assert [name for name in LONGER if name not in long] == [], "no longer long: take them out of LONGER"


ROOT_OF = {"outlay": "sdk", "outlay_collector": "collector", "outlay_analytics": "analytics", "outlay_web": "web"}
MAY = re.compile(r"^May import: (.+)\.$", re.MULTILINE)


def rooms(package: str) -> Iterator[Path]:
    """The folders of a package that hold modules."""
    base = ROOT / ROOT_OF[package] / package
    yield from sorted(path.parent for path in base.glob("*/__init__.py"))


def neighbors(package: str, room: Path) -> set[str]:
    """Which other rooms of its package a room imports, `TYPE_CHECKING` included."""
    found = set()
    for path in room.rglob("*.py"):
        for name in imported(path):
            first, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if first == package and other != room.name and (room.parent / other).is_dir():
                found.add(other)
    return found


@pytest.mark.parametrize("package", ROOT_OF)
def test_every_room_says_what_enters_what_leaves_and_keeps_to_what_it_may_import(package: str) -> None:
    wrong = []
    for room in rooms(package):
        text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
        where = room.relative_to(ROOT)
        said = MAY.search(text)
        if said is None or "\nEnters: " not in text or "\nLeaves: " not in text:
            wrong.append(f"{where}/__init__.py does not say Enters, Leaves and May import")
            continue
        may = {name.strip() for name in said[1].split(",")} - {"nothing"}
        found = neighbors(package, room)
        wrong += [f"{where} imports {name}" for name in sorted(found - may)]
        wrong += [f"{where} may import {name}, but does not" for name in sorted(may - found)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ROOT_OF)
def test_rooms_import_in_one_direction(package: str) -> None:
    below = {room.name: neighbors(package, room) for room in rooms(package)}

    def reach(name: str, seen: set[str]) -> set[str]:
        for other in below.get(name, set()) - seen:
            reach(other, seen | {other})
            seen |= {other} | reach(other, seen)
        return seen

    circles = sorted(name for name in below if name in reach(name, set()))
    assert not circles, f"these rooms reach themselves: {', '.join(circles)}"
