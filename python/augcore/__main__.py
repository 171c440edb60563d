"""The command `augcore`, also as python -m augcore."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point: Ctrl-C ends it quietly from the first moment on, while the command is being imported."""
    try:
        from augcore import cli

        cli.app(prog_name="augcore")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
