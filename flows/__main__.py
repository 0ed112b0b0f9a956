"""`python -m flows` is the command line `terrapair`."""

from flows.command_line import main

main()
