"""Write the price snapshot that ships with the SDK: `python -m outlay_collector.prices.snapshot`.

It ships compressed, a tenth of the size; the same text lies beside the package, for who reads a change of prices.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import outlay
from outlay.pricing.price_file import NAME
from outlay_collector.prices.catalogue import compile_document


def main() -> int:
    package = Path(outlay.__file__).parent
    path, packed = package.parent / "prices.json", package / "pricing" / NAME
    text = render()
    changed = not packed.exists() or gzip.decompress(packed.read_bytes()).decode() != text
    path.write_text(text, encoding="utf-8")
    if changed:
        packed.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path}: {'changed' if changed else 'unchanged'}, {len(text)} bytes")
    return 0


def render() -> str:
    """The document with one model per line, so that a change of prices reads well in a diff."""
    document = compile_document()
    lines = []
    for name, provider in document["providers"].items():
        head = json.dumps({key: value for key, value in provider.items() if key != "models"}, separators=(",", ":"))
        models = ",\n".join(json.dumps(model, separators=(",", ":")) for model in provider["models"])
        lines.append(f'{json.dumps(name)}:{head[:-1]},"models":[\n{models}]}}')
    top = {key: value for key, value in document.items() if key != "providers"}
    return json.dumps(top, separators=(",", ":"))[:-1] + ',"providers":{\n' + ",\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    sys.exit(main())
