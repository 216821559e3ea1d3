"""What a survey found to be different from the survey before: the history of a machine. Pure.

A change is something that a person or a program did to the machine, and that somebody will look for when it matters
who did it and when. What moves by itself (free room, the clock's offset, ports of clients) is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from groundplane.api.facts import FactChange, MachineFacts

_ABILITY, _HANDLER, _CERTIFICATE = "ability ", "handler ", "certificate "


def machine_changes(before: MachineFacts | None, after: MachineFacts, *, source: str) -> list[FactChange]:
    """Return what changed between two surveys, in the order of the table below; nothing for the first survey."""
    if before is None:
        return []
    old, new = _entries(before), _entries(after)
    # What no survey had looked for before is nothing that happened to the machine.
    unknown = tuple(word for word, known in _lists(before).items() if not known)
    return [
        FactChange(time=after.observed_at, source=source, what=what, before=old.get(what, ""), after=new.get(what, ""))
        for what in dict.fromkeys([*old, *new])
        if old.get(what, "") != new.get(what, "") and not what.startswith(unknown)
    ]


def _lists(facts: MachineFacts) -> dict[str, bool]:
    return {
        _ABILITY: bool(facts.abilities),
        _HANDLER: bool(facts.handlers),
        _CERTIFICATE: bool(facts.certificates),
    }


def _entries(facts: MachineFacts) -> dict[str, str]:
    """Return what counts, by name; what is empty was not found."""
    plain = {
        "operating system": facts.os.pretty_name or f"{facts.os.id} {facts.os.version_id}".strip(),
        "kernel": facts.kernel.release,
        "boot": facts.boot_id,
        "host name": facts.network.hostname,
        "machine id": facts.machine_id,
        "swap": "on" if facts.swap else "off",
        "cgroup version": str(facts.kernel.cgroup_version or ""),
        "time service": facts.time.service,
        "firewall": facts.security.firewall,
        "selinux": facts.security.selinux,
        "kubelet": facts.kubelet.version,
        "kubeadm": facts.kubeadm.installed_version,
        "runtime of the kubelet": facts.kubelet.runtime,
        "cluster": facts.kubeadm.server if facts.kubeadm.joined else "",
        "mark": facts.kubeadm.owner,
    }
    return plain | dict(_many(facts))


def _many(facts: MachineFacts) -> Iterator[tuple[str, str]]:
    for runtime in facts.runtimes:
        yield runtime.name, f"{runtime.version}{'' if runtime.active else ' (not running)'}"
    for handler in facts.handlers:
        yield _HANDLER + handler.name, handler.version
    for ability in facts.abilities:
        # That it could not be told is no state of the machine.
        if ability.state != "Unknown":
            yield _ABILITY + ability.name, ability.state
    chains: dict[str, str] = {}
    for certificate in facts.certificates:
        # Of a chain, its first certificate is the machine's own.
        chains.setdefault(certificate.path, certificate.not_after and f"valid until {certificate.not_after}")
    for path, validity in chains.items():
        yield _CERTIFICATE + path, validity
