"""The command `outlay`, also as `python -m outlay_web`. Where only the SDK is installed, it says what is missing."""

from __future__ import annotations

import sys

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
WITHOUT = ("outlay run -- COMMAND", "outlay doctor --sdk", "outlay ci --base REF -- COMMAND")
"""What needs nothing but the SDK."""


def main() -> None:
    """Run the command line; its packages are an extra, which `pip install outlay` alone leaves out."""
    if sys.argv[1:2] == ["run"]:  # needs nothing but the SDK
        from outlay.zero_code.run import main as become

        become(sys.argv[2:])
        return
    if sys.argv[1:2] == ["ci"]:  # nor does this
        from outlay.ci.command import main as compare

        try:
            compare(sys.argv[2:])
        except KeyboardInterrupt:
            print("outlay: interrupted", file=sys.stderr)
            sys.exit(EXIT_INTERRUPTED)
    if sys.argv[1:] == ["doctor", "--sdk"]:  # nor this
        from outlay.zero_code.doctor import main as examine

        examine()
    try:
        from outlay_web.cli import main as run

        run()
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("outlay"):
            raise  # ours: not to be had by installing something
        print(f"outlay: this command needs the server's packages ({missing}).", file=sys.stderr)
        print("Install them:  pip install 'outlay[server]'", file=sys.stderr)
        print(f"Without them:  {', '.join(WITHOUT)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:  # also while the packages are still being imported
        print("outlay: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
