"""`python -m efspec`, which is the `efspec` command."""

from efspec.cli.main import main

if __name__ == "__main__":
    main()
