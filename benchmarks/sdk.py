"""What the SDK costs its host: caller CPU per call, import CPU, and installed size, beside raw OpenTelemetry and peers.

    python benchmarks/sdk.py                          # raw OpenTelemetry and Outlay, and peers that are installed
    python benchmarks/sdk.py --peers DIR              # also an environment per peer and for us, made in DIR by uv
    python benchmarks/sdk.py --only calls imports     # some of its parts: calls, levers, imports, sizes
    python benchmarks/sdk.py --only calls --of outlay "outlay record"     # and only these

The instrumented function gets about 1.5 KB of messages and returns a ready OpenAI-like response object; nothing else
happens in it. Every variant exports to nowhere, but Outlay's queue is filled and emptied, while a raw span's processor
does nothing at all. Each runs in a process of its own, in turns with a raw OpenTelemetry span that gets the same
content there: shown are the best pass of each, over all rounds, and the median over the rounds of their ratio. Then
what each lever adds to a call (`sdk_levers.py`). What it is at goes to stderr.
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


PARTS = ("calls", "levers", "imports", "sizes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="in each of the passes")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each variant")
    parser.add_argument("--peers", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--of", nargs="+", default=[], metavar="NAME", help="only these variants and levers")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.calls, BASELINE.get(options.variant, ""))))
        sys.stdout.flush()
        os._exit(0)
    asked = options.of
    variants = ["otel", "otel+content", "otel+batch", "outlay", "outlay+content", "outlay record", *PEERS]
    unknown = set(asked) - {*variants, *sdk_levers.VARIANTS}
    if unknown:
        parser.error(f"--of knows {', '.join([*variants, *sdk_levers.VARIANTS])}; not {', '.join(unknown)}")
    pythons = dict.fromkeys(PEERS, sys.executable)
    if options.peers:
        pythons = {
            name: str(install(options.peers / name, package, "pydantic", "httpx")) for name, package in PEERS.items()
        }
    if "calls" in options.only:
        show_calls([name for name in variants if not asked or name in asked], pythons, options.calls, options.rounds)
    if "levers" in options.only:
        levers = [name for name in sdk_levers.VARIANTS if not asked or name in asked]
        show_levers(levers, options.peers, options.calls, options.rounds)
    if "imports" in options.only:
        show_imports(pythons, options.rounds)
    if "sizes" in options.only:
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
    """Show progress: in place of what was shown on a terminal, line after line elsewhere."""
    if sys.stderr.isatty():
        print(f"\r{progress}\033[K", end="", file=sys.stderr, flush=True)
    elif progress:
        print(progress, file=sys.stderr, flush=True)


def show_calls(variants: list[str], pythons: dict[str, str], calls: int, rounds: int) -> None:
    print(f"{'caller CPU per call':24s} {'best µs':>10s} {'raw span':>10s} {'ratio':>7s}")
    for name, found in measured(variants, pythons, calls, rounds).items():
        if not found:
            print(f"{name:24s} not installed")
            continue
        best = [min(values) for values in zip(*found, strict=True)]
        beside = f"{best[1]:10.1f} {statistics.median(mine / raw for mine, raw in found):7.2f}" if best[1:] else ""
        print(f"{name:24s} {best[0]:10.1f} {beside}")


def measured(names: list[str], pythons: dict[str, str], calls: int, rounds: int) -> dict[str, list[list[float]]]:
    """Of each variant what `measure` says in each round; nothing where it fails, as without its package."""
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for turn in range(1, rounds + 1):
        for name in names:
            if turn > 1 and not found[name]:
                continue
            command = [pythons.get(name, sys.executable), __file__, "--variant", name, "--calls", str(calls)]
            said = ran(name, command, turn, rounds)
            if said:
                found[name].append(json.loads(said))
    return found


def show_levers(levers: list[str], folder: Path | None, calls: int, rounds: int) -> None:
    """What a lever adds to a call, beside peers in `folder`."""
    pythons: dict[str, str] = {}
    for name in levers:
        peer = sdk_levers.python_of(name)
        if peer and folder is not None:
            pythons[name] = str(install(folder / peer, sdk_levers.PEERS[peer], "pydantic"))
    print(f"\n{'caller CPU per call':24s} {'best µs':>10s}")
    for name, found in measured(levers, pythons, calls, rounds).items():
        told = f"{min(found)[0]:10.1f}  {sdk_levers.VARIANTS[name]}" if found else "not installed"
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
