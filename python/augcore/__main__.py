"""The command `augcore`, also as python -m augcore."""

from __future__ import annotations

import contextlib
import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """The entry point: Ctrl-C ends it quietly from the first moment on, while the command is being imported.

    And at once: what was open is closed by then, and to take large libraries down in order would take seconds.
    """
    try:
        from augcore import cli

        cli.app(prog_name="augcore")
    except KeyboardInterrupt:
        pass
    except SystemExit as ended:
        if ended.code != _INTERRUPTED:
            raise
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
