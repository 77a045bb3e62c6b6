"""`python -m lynkeus` is the command line."""

from lynkeus.cli import main

main()
