"""The command ``akili``: answers ``--version`` before anything is imported."""

from __future__ import annotations

import sys

from akili_cli import __version__


def main() -> int:
    """Run the command line and give its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"akili {__version__}\n")
        return 0
    try:
        from akili_cli.cli.boundary import run_command_line

        return run_command_line(sys.argv[1:])
    except KeyboardInterrupt:  # while the parser was imported
        return 130


if __name__ == "__main__":
    sys.exit(main())
