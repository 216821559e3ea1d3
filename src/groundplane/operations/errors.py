"""What can go wrong in a step by itself, beside the errors of hosts, clusters and artifacts.

GroundplaneError
├── Refused ── StepRefused        things are not as the step needs them: a person has to change something
│              ├── NotReached     a condition did not come true in time
│              ├── ForeignMachine the machine carries another cluster's mark
│              ├── DiskFull       no room on a machine
│              └── JobFailed      a long command on a machine (kubeadm) ended with an error
└── Unavailable ─ NotYet          the other side is expected to come up: try later
"""

from __future__ import annotations

from groundplane.base.errors import Refused, Unavailable


class StepRefused(Refused):
    """Things are not as the step needs them; a person has to change something."""


class NotReached(StepRefused):
    """A condition did not come true in time."""


class ForeignMachine(StepRefused):
    """The machine carries the mark of another cluster; nothing was changed on it."""


class DiskFull(StepRefused):
    """There is no room on a machine for what has to be put there."""


class JobFailed(StepRefused):
    """A long command on a machine ended with an error; the message has its last lines."""


class NotYet(Unavailable):
    """Something that this Operation has set up does not answer yet."""
