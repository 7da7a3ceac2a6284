"""The `efspec` command, also as `python -m efspec`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, even while it is being loaded."""
    try:
        from efspec.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
