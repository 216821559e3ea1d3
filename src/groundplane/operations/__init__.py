"""Operations: what executes a plan. Knows no API server.

A controller makes the scopes (`make_scopes`) from the wanted state and the doors, runs the frozen plan
(`Runner(plan, steps=CREATE, …).run()`), and gets an `Outcome`; its `Recorder` hears of every step meanwhile.
"""

from .actions import ACTIONS, CHANGE, CLEAN_UP, CREATE, DELETE, RELEASE, REMOVE, RENEW
from .errors import DiskFull, ForeignMachine, JobFailed, NotReached, NotYet, StepRefused
from .runner import Limits, Outcome, Recorder, Runner, ScopeFactory
from .scope import ClusterDoor, Delivery, Journal, ReadScope, Scope
from .scopes import Doors, Scopes, make_scopes
from .step import Step
from .waiting import Clock, SystemClock, wait_until

__all__ = [
    "ACTIONS",
    "CHANGE",
    "CLEAN_UP",
    "CREATE",
    "DELETE",
    "RELEASE",
    "REMOVE",
    "RENEW",
    "Clock",
    "ClusterDoor",
    "Delivery",
    "DiskFull",
    "Doors",
    "ForeignMachine",
    "JobFailed",
    "Journal",
    "Limits",
    "NotReached",
    "NotYet",
    "Outcome",
    "ReadScope",
    "Recorder",
    "Runner",
    "Scope",
    "ScopeFactory",
    "Scopes",
    "Step",
    "StepRefused",
    "SystemClock",
    "make_scopes",
    "wait_until",
]
