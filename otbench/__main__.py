"""`python -m otbench` is the command `otbench`."""

from otbench.warm import main

main()
