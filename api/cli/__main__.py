"""`python -m api.cli` is `rolecall`."""

from api.cli import main

main()
