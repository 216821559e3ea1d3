"""What is to be done to a living node's packages and kernel, and what cannot be done to it in place. Pure.

Two things ask for it: a kernel below the Foundation's floor, where the system's own package sources can have one that
reaches it; and a request, the annotation groundplane.dev/update-packages on the Cluster or the Machine, each value of
which is answered once. The machine keeps which ones it has answered, so that nobody else has to remember.

Another operating system is never a matter of packages: it is said, and left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.facts import MachineFacts
from groundplane.api.meta import ANNOTATION_UPDATE
from groundplane.api.operation import PlannedChange
from groundplane.base import versions
from groundplane.catalog.systems import system

from .view import View

# Families whose package manager the step `system-packages` knows: apt, dnf or yum, zypper.
_FAMILIES = frozenset({"debian", "rhel", "suse"})


def system_changes(view: View, name: str) -> list[PlannedChange]:
    """Return what the step `system-packages` is to do on the machine; empty when there is nothing that it could do."""
    facts = view.of(name)
    changes = []
    if _low(view, facts) and not _hindrance(view, facts):
        floor = view.target.kernel.minimum
        changes.append(PlannedChange(what="kernel", before=facts.kernel.release, after=f"at least {floor}"))
    if pending_updates(view, name) and facts.os.family in _FAMILIES:
        after = "updated; the machine boots anew where something changed"
        changes.append(PlannedChange(what="packages", before="as found", after=after))
    return changes


def pending_updates(view: View, name: str) -> list[str]:
    """Return the requests for an update of packages that the machine has not answered, its Cluster's first."""
    asked = (view.target.update_packages, view.spec(name).metadata.annotations.get(ANNOTATION_UPDATE, ""))
    return [value for value in dict.fromkeys(asked) if value and value not in view.of(name).updates]


def system_notes(view: View, names: Iterable[str]) -> list[str]:
    """Return a sentence for each thing of these machines that differs and that nothing here changes."""
    notes = []
    for name in names:
        facts = view.of(name)
        if foreign := _foreign(view, facts):
            notes.append(f"{name} {foreign}: that takes an installation anew, which is left to a person")
        if _low(view, facts) and (why := _hindrance(view, facts)):
            floor = view.target.kernel.minimum
            notes.append(f"the kernel of {name}, {facts.kernel.release}, stays below the floor {floor}: {why}")
        if pending_updates(view, name) and facts.os.family not in _FAMILIES:
            notes.append(f"packages of {name} are not updated: {_unknown_family(facts)}")
    return notes


def _low(view: View, facts: MachineFacts) -> bool:
    """Tell whether the kernel is below the floor for sure."""
    try:
        return bool(facts.kernel.release) and not versions.kernel_at_least(
            facts.kernel.release, view.target.kernel.minimum
        )
    except versions.UnknownVersion:
        return False


def _hindrance(view: View, facts: MachineFacts) -> str:
    """Return why no package brings a kernel that reaches the floor; "" when one may."""
    if facts.container:
        return f"the machine is a container ({facts.container}), and the kernel its host's"
    if facts.os.family not in _FAMILIES:
        return _unknown_family(facts)
    known = system(facts.os.id, facts.os.version_id)
    if known is None:
        return ""
    floor, line, now = (
        versions.kernel_release(text)[:2] for text in (view.target.kernel.minimum, known.kernel, facts.kernel.release)
    )
    # A kernel beyond the system's own line came from somewhere else, which may have more.
    if line < floor and now <= line:
        return f"{known.name} comes with {known.kernel}; install a newer system, or add a source of newer kernels"
    return ""


def _foreign(view: View, facts: MachineFacts) -> str:
    accepted = view.target.operating_systems
    if not accepted or not facts.os.id or any(one.accepts(facts.os.id, facts.os.version_id) for one in accepted):
        return ""
    return f"runs {facts.os.id} {facts.os.version_id}".rstrip() + ", which the Foundation does not name"


def _unknown_family(facts: MachineFacts) -> str:
    return f"how {facts.os.pretty_name or facts.os.id or 'its system'} handles packages is not known"
