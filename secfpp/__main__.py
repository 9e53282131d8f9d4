"""`python -m secfpp`."""

from secfpp.cli import main

main()
