"""What can go wrong in a step by itself, beside the errors of hosts, clusters and artifacts.

GroundplaneError
├── Refused ── StepRefused        things are not as the step needs them: a person has to change something
│              ├── NotReached     a condition did not come true in time
│              ├── ForeignMachine the machine carries another cluster's mark
│              └── JobFailed      a long command on a machine (kubeadm) ended with an error
└── Unavailable ── NotYet         the other side is expected to come up: try later
                ── DiskFull       no room on a machine: a person makes some, and the step goes on
"""

from __future__ import annotations

from groundplane.base.errors import Refused, Unavailable


class StepRefused(Refused):
    """Things are not as the step needs them; a person has to change something."""


class NotReached(StepRefused):
    """A condition did not come true in time."""


class ForeignMachine(StepRefused):
    """The machine carries the mark of another cluster; nothing was changed on it."""


class JobFailed(StepRefused):
    """A long command on a machine ended with an error; the message has its last lines."""


class DiskFull(Unavailable):
    """There is no room on a machine for what has to be put there; waited for, as a machine that is away is."""


class NotYet(Unavailable):
    """Something that this Operation has set up does not answer yet."""
