"""Write the price snapshot that ships with the SDK: `python -m outlay_collector.prices.snapshot`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import outlay.pricing
from outlay_collector.prices.catalogue import compile_document


def main() -> int:
    path = Path(outlay.pricing.__file__).with_name("prices.json")
    text = render()
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    path.write_text(text, encoding="utf-8")
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
