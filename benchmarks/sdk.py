"""What the SDK costs its host: caller CPU per call, import CPU, and installed size, beside raw OpenTelemetry and peers.

    python benchmarks/sdk.py                       # raw OpenTelemetry and Outlay, and peers that are installed
    python benchmarks/sdk.py --peers DIR           # also a virtual environment per peer and for us, made in DIR by uv
    python benchmarks/sdk.py --calls 1000 --rounds 5

The instrumented function gets about 1.5 KB of messages and returns a ready OpenAI-like response object; nothing else
happens in it. Every variant exports to nowhere. Each runs in a process of its own, variants interleaved over the
rounds; shown are the median, the median over the rounds of the ratio to a raw OpenTelemetry span with the same content
in the same round, and the ratio of the best rounds, which other work on the machine disturbs the least. Then what each
lever adds to a call (`sdk_levers.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sdk_levers
from sdk_variants import measure

ROOT = Path(__file__).parents[1]
BYTECODE = os.path.join(tempfile.gettempdir(), "outlay-benchmark-bytecode")
PEERS = {
    "langfuse": "langfuse",
    "openlit": "openlit",
    "traceloop": "traceloop-sdk",
    "logfire": "logfire",
    "mlflow": "mlflow-tracing",
}
BASELINE = {
    "outlay": "otel",
    "outlay+content": "otel+content",
    "outlay record": "otel",
    "otel+batch": "otel+content",
    **dict.fromkeys(PEERS, "otel+content"),
}
OTEL_IMPORT = (
    "import opentelemetry.sdk.trace, opentelemetry.sdk.trace.export; "
    "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter"
)
IMPORTS = {
    "otel sdk + exporter": OTEL_IMPORT,
    "outlay": "import outlay",
    "outlay + init()": "import outlay; outlay.init()",
    "langfuse": "import langfuse",
    "openlit": "import openlit",
    "traceloop": "import traceloop.sdk",
    "logfire": "import logfire",
    "mlflow": "import mlflow",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.calls)))
        sys.stdout.flush()
        os._exit(0)
    pythons = dict.fromkeys(PEERS, sys.executable)
    if options.peers:
        pythons = {
            name: str(install(options.peers / name, package, "pydantic", "httpx")) for name, package in PEERS.items()
        }
    variants = ["otel", "otel+content", "otel+batch", "outlay", "outlay+content", "outlay record", *PEERS]
    show_calls(variants, pythons, options.calls, options.rounds)
    show_levers(options.peers, options.calls, options.rounds)
    show_imports(pythons, options.rounds)
    show_sizes(options.peers)


def install(folder: Path, *packages: str) -> Path:
    """A virtual environment with these packages in it, and nothing else."""
    python = folder / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}") or "uv"
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


def ran(what: str, command: list[Any], round_number: int, rounds: int) -> str:
    """The last line that a variant's process prints; empty where it fails, as without its package."""
    tell(f"{what}, round {round_number} of {rounds}")
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    tell("")
    said = done.stdout.splitlines()
    return said[-1] if done.returncode == 0 and said else ""


def tell(progress: str) -> None:
    """Show progress in place of what was shown, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{progress}\033[K", end="", file=sys.stderr, flush=True)


def show_calls(variants: list[str], pythons: dict[str, str], calls: int, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in variants}
    missing: set[str] = set()
    for turn in range(1, rounds + 1):
        for name in variants:
            if name in missing:
                continue
            command = [pythons.get(name, sys.executable), __file__, "--variant", name, "--calls", str(calls)]
            said = ran(name, command, turn, rounds)
            if said:
                found[name].append(json.loads(said))
            else:
                missing.add(name)
    print(f"{'caller CPU per call':24s} {'median µs':>10s} {'best µs':>10s} {'ratio':>7s} {'of best':>7s}")
    for name in variants:
        if name in missing:
            print(f"{name:24s} not installed")
            continue
        base = found[BASELINE.get(name, name)]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(found[name], base, strict=True))
        best = min(found[name]) / min(base)
        print(f"{name:24s} {statistics.median(found[name]):10.1f} {min(found[name]):10.1f} {ratio:7.2f} {best:7.2f}")


def show_levers(folder: Path | None, calls: int, rounds: int) -> None:
    """What a lever adds to a call, beside peers in `folder`."""
    pythons = {"": sys.executable, **dict.fromkeys(sdk_levers.PEERS, sys.executable)}
    if folder is not None:
        for name, package in sdk_levers.PEERS.items():
            pythons[name] = str(install(folder / name, package, "pydantic"))
    print(f"\n{'caller CPU per call':24s} {'median µs':>10s} {'best µs':>10s}")
    for name, what in sdk_levers.VARIANTS.items():
        found = []
        for turn in range(1, rounds + 1):
            python = pythons[sdk_levers.python_of(name)]
            said = ran(name, [python, __file__, "--variant", name, "--calls", str(calls)], turn, rounds)
            if not said:
                break
            found.append(json.loads(said))
        told = f"{statistics.median(found):10.1f} {min(found):10.1f}  {what}" if found else "not installed"
        print(f"{name:24s} {told}")


def show_imports(pythons: dict[str, str], rounds: int) -> None:
    template = (
        "import time; t = time.process_time(); {}; print((time.process_time() - t) * 1000); import os; os._exit(0)"
    )
    found: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for turn in range(rounds + 1):  # the first compiles
        for name, statement in IMPORTS.items():
            command = [
                pythons.get(name, sys.executable),
                "-c",
                template.format(statement).replace("os._exit", "import sys; sys.stdout.flush(); os._exit"),
            ]
            said = ran(f"import of {name}", command, turn, rounds)
            if said and turn:
                found[name].append(float(said))
    base = found["otel sdk + exporter"]
    print(f"\n{'import CPU':24s} {'median ms':>10s} {'best ms':>10s} {'ratio':>7s} {'of best':>7s}")
    for name, values in found.items():
        if values:
            middle, best = statistics.median(values), min(values)
            ratios = f"{middle / statistics.median(base):7.2f} {best / min(base):7.2f}"
            print(f"{name:24s} {middle:10.1f} {best:10.1f} {ratios}")


def show_sizes(folder: Path | None) -> None:
    """What installing each into an empty environment takes: size and number of distributions."""
    if folder is None:
        return
    code = (
        "import importlib.metadata as m; found = list(m.distributions()); "
        "print(len(found), sum(file.size or 0 for entry in found for file in entry.files or ()))"
    )
    otel = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
    packages = {"otel sdk + exporter": otel, "outlay": (str(ROOT),), **{name: (p,) for name, p in PEERS.items()}}
    print(f"\n{'installed':24s} {'MB':>10s} {'distributions':>14s}")
    for name, wanted in packages.items():
        python = install(folder / f"size-{name.split()[0]}", *wanted)
        count, size = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.split()
        print(f"{name:24s} {int(size) / 1e6:10.1f} {count:>14s}")


def environment() -> dict[str, str]:
    """Without settings of the shell, with the source tree on the path and with bytecode, as installed code has."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OUTLAY_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPATH": str(ROOT / "sdk"), "PYTHONPYCACHEPREFIX": BYTECODE}


if __name__ == "__main__":
    main()
