"""`python -m groundplane_lab`: the lab's commands without the rest of the command line."""

from groundplane_lab.cli import lab

lab()
