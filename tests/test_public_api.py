"""One public intake: what `import outlay` offers is listed, sorted, importable and documented."""

from __future__ import annotations

import subprocess
import sys

import outlay


def test_all_is_sorted_and_complete() -> None:
    assert list(outlay.__all__) == sorted(outlay.__all__, key=lambda name: (not name.isupper(), name))  # as ruff has it
    for name in outlay.__all__:
        assert getattr(outlay, name) is not None, name


def test_nothing_else_leaks() -> None:
    import types

    public = {
        name
        for name, value in vars(outlay).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public <= set(outlay.__all__)


def test_everything_offered_has_a_docstring() -> None:
    for name in outlay.__all__:
        assert (getattr(outlay, name).__doc__ or "").strip(), name


def test_importing_outlay_imports_no_server_package_and_no_client() -> None:
    code = (
        "import sys, outlay; heavy = {'chdb', 'clickhouse_connect', 'pandas', 'numpy', 'fastapi', 'grpc', 'openai', "
        "'anthropic', 'httpx', 'requests', 'genai_prices'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_what_is_for_the_desk_is_loaded_when_it_is_first_asked_for() -> None:
    code = (
        "import sys, outlay; desk = [f'outlay.optimizations.{name}' for name in ('evaluate', 'estimate', 'datasets')]; "
        "assert not set(desk) & set(sys.modules); assert 'evaluate' in dir(outlay); "
        "outlay.evaluate, outlay.estimate, outlay.dataset; assert set(desk) <= set(sys.modules); "
        "assert not hasattr(outlay, 'evaluat')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
