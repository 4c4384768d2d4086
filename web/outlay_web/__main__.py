"""`python -m outlay_web` is `outlay`."""

from __future__ import annotations

from outlay_web.cli import main

if __name__ == "__main__":
    main()
