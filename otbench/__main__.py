"""`python -m otbench` is the command `otbench`."""

from otbench.cli import main

main()
