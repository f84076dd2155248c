"""`python -m numbatch.cli`: the same as `numbatch`."""

from numbatch.cli.main import main

if __name__ == "__main__":
    main()
