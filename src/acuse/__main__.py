"""`python -m acuse` is `acuse`."""

from acuse.entrypoints.cli import main

if __name__ == "__main__":
    main()
