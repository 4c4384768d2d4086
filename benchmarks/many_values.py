"""What a page costs where a dimension has very many values: one call each, on a real server in this process.

    python benchmarks/many_values.py [--values 100000] [--dimensions user,feature,tag.plan]

Prints bytes before compression, elements, and CPU seconds of the whole process (the smallest of three tries).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / part) for part in ("sdk", "collector", "analytics", "web"))]

from tests.many_values import DIMENSIONS, fill  # noqa: E402
from tests.web_server import own_store, running  # noqa: E402

from outlay_web.config import Settings  # noqa: E402

PATHS = (
    "/?group_by={dimension}",
    "/spend?group_by={dimension}",
    "/caching?group_by={dimension}",
    "/explain?",
    "/forecast?",
    "/calls?sort=cost_usd",
    "/settings?",
    "/api/v1/spend?group_by={dimension}&interval=day",
    "/api/v1/spend?group_by={dimension}&limit=1000",
    "/api/v1/explain?by={dimension}",
    "/api/v1/report?",
    "/metrics?",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--dimensions", default=",".join(DIMENSIONS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data=Path(data), store_dsn=own_store(), grpc_port=-1)
        with running(settings) as server:
            for dimension in arguments.dimensions.split(","):
                project = dimension.replace(".", "-")
                fill(server.assembly.context.store, dimension, arguments.values, datetime.now(UTC), project=project)
                for pattern in PATHS:
                    path = pattern.format(dimension=dimension)
                    tries, answer = [], None
                    for _ in range(3):
                        began = time.process_time()
                        try:
                            answer = server.get(path if path == "/metrics?" else f"{path}&project={project}")
                        except TimeoutError:
                            break
                        tries.append(time.process_time() - began)
                    if answer is None:
                        print(f"{dimension:16} {path:58} no answer within 30 s", flush=True)
                        continue
                    nodes = len(re.findall(rb"<[a-z]", answer.body))
                    print(
                        f"{dimension:16} {path:58} {answer.status} {len(answer.body):9,} bytes {nodes:6,} elements "
                        f"{min(tries):6.2f} CPU-s",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
