"""The Container Runtime Interface of a machine, asked over its socket by curl: gRPC without any tool of Kubernetes.

crictl is on few machines, and a runtime has to be proven before kubelet depends on it. The few messages that are needed
are protobuf of simple shape, written and read here. Their numbers:
https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto (the same in v1alpha2).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from groundplane.base.wire import fields
from groundplane.base.wire import tagged as message
from groundplane.hosts.contract import Host

from .errors import NotReached, StepRefused
from .waiting import Clock, SystemClock, wait_until

SOCKET = "/run/containerd/containerd.sock"
_VERSIONS = ("v1", "v1alpha2")
_UNIMPLEMENTED = "12"
# What containerd answers to everything until its plugin has looked at what runs.
_STARTING = "server is not initialized yet"
_START_SECONDS = 60.0
_START_PAUSE = 0.5
POD_UID = "io.kubernetes.pod.uid"


class CriFailed(StepRefused):
    """The runtime answered a call with an error, or not at all. `status` is gRPC's number, "" without an answer."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message, remedy="see `journalctl -u containerd` on the machine")
        self.status = status


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the runtime knows it: the digest of its configuration, and its names."""

    id: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cri:
    """A runtime whose interface answers. `api` is the version of the interface that it has."""

    host: Host
    api: str
    runtime: str
    version: str

    async def images(self) -> list[Image]:
        """Return the images that pods of Kubernetes can use."""
        answer = await _call(self.host, self.api, "ImageService/ListImages", b"")
        return [Image(_text(one.get(1)), tuple(_texts(one.get(2)))) for one in _listed(answer)]

    async def problems(self) -> list[str]:
        """Return why the runtime says that it cannot run pods; empty when it can."""
        answer = await _call(self.host, self.api, "RuntimeService/Status", b"")
        status = next((value for number, value in fields(answer) if number == 1), b"")
        conditions = [dict_of(value) for number, value in fields(_bytes(status)) if number == 1]
        return [
            f"{_text(one.get(1))}: {_text(one.get(4)) or _text(one.get(3))}" for one in conditions if one.get(2) != [1]
        ]

    async def sandboxes(self) -> dict[str, str]:
        """Return all pod sandboxes: id to the pod's name."""
        answer = await _call(self.host, self.api, "RuntimeService/ListPodSandbox", b"")
        return {_text(one.get(1)): _text(dict_of((one.get(2) or [b""])[0]).get(1)) for one in _listed(answer)}

    async def running_pods(self) -> set[str]:
        """Return the uids of the pods whose sandbox is ready, or of which a container runs."""
        sandboxes = await _call(self.host, self.api, "RuntimeService/ListPodSandbox", b"")
        containers = await _call(self.host, self.api, "RuntimeService/ListContainers", b"")
        # SANDBOX_READY is 0 and left out; CONTAINER_RUNNING is 1.
        ready = [one for one in _listed(sandboxes) if one.get(3, [0]) == [0]]
        running = [one for one in _listed(containers) if one.get(6) == [1]]
        uids = {_text(dict_of((one.get(2) or [b""])[0]).get(2)) for one in ready}
        labels = [dict_of(entry) for one in running for entry in one.get(8) or []]
        return (uids | {_text(label.get(2)) for label in labels if _text(label.get(1)) == POD_UID}) - {""}

    async def run_sandbox(self, name: str, *, cgroup_parent: str) -> str:
        """Start an empty pod in the pod network and return its id; StepRefused says why the runtime could not."""
        metadata = string(1, name) + string(2, name) + string(3, "kube-system")
        linux = string(1, cgroup_parent)
        config = message(1, metadata) + string(3, f"/var/log/pods/kube-system_{name}") + message(8, linux)
        try:
            answer = await _call(self.host, self.api, "RuntimeService/RunPodSandbox", message(1, config), seconds=150)
        except CriFailed as error:
            raise StepRefused(
                f"cannot start a pod with {self.runtime} on host {self.host.name}: {error.message}",
                remedy="see `journalctl -u containerd` there",
            ) from error
        return _text(dict_of(answer).get(1))

    async def remove_sandbox(self, sandbox: str) -> None:
        """Stop a pod with all its containers and remove it; its network is given back."""
        for call in ("StopPodSandbox", "RemovePodSandbox"):
            await _call(self.host, self.api, f"RuntimeService/{call}", string(1, sandbox), seconds=60)


async def connect(host: Host, clock: Clock | None = None) -> Cri:
    """Return the runtime's interface; StepRefused when it does not answer, with the words that it refuses in.

    A containerd that has just been started says so for a while, longer on a busy machine; that is waited for.
    """
    found: list[Cri] = []

    async def starting() -> str:
        try:
            found.append(await _answering(host))
        except CriFailed as error:
            if _STARTING not in error.message:
                raise
            return error.message
        return ""

    try:
        await wait_until(
            starting, what="it started", seconds=_START_SECONDS, clock=clock or SystemClock(), interval=_START_PAUSE
        )
    except (CriFailed, NotReached) as error:
        raise StepRefused(
            f"cannot use containerd on host {host.name}: its CRI does not answer: {error.message}",
            remedy="see `journalctl -u containerd` there; its config.toml must not disable the plugin cri",
        ) from error
    return found[0]


async def _answering(host: Host) -> Cri:
    """Return the interface in the version that the runtime has; raises CriFailed."""
    *older, last = _VERSIONS
    for api in older:
        try:
            return await _version(host, api)
        except CriFailed as error:
            if error.status != _UNIMPLEMENTED:
                raise
    return await _version(host, last)


async def _version(host: Host, api: str) -> Cri:
    answer = dict_of(await _call(host, api, "RuntimeService/Version", b""))
    return Cri(host, api, _text(answer.get(2)), _text(answer.get(3)))


async def _call(host: Host, api: str, method: str, body: bytes, *, seconds: float = 30) -> bytes:
    frame = b"\0" + len(body).to_bytes(4, "big") + body
    argv = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--max-time", f"{seconds:.0f}"]
    argv += ["--unix-socket", SOCKET, "--request", "POST", "--header", "content-type: application/grpc"]
    argv += ["--header", "te: trailers", "--data-binary", "@-", "--dump-header", "/dev/stderr"]
    done = await host.run(
        [*argv, f"http://localhost/runtime.{api}.{method}"], stdin=frame, timeout=seconds + 30, check=False
    )
    told = _headers(done.stderr)
    status = told.get("grpc-status", "")
    if not done.ok or status not in ("", "0"):
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = unquote(told.get("grpc-message", "")) or (words[-1] if words else "no answer")
        raise CriFailed(f"{method.rpartition('/')[2]} on host {host.name}: {said}", status)
    return done.stdout[5:]


def _headers(output: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in output.decode("utf-8", "replace").splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


# --- messages --------------------------------------------------------------------------------------------------------

Value = int | bytes


def string(number: int, text: str) -> bytes:
    """Return a field of type string."""
    return message(number, text.encode())


def dict_of(content: Value) -> dict[int, list[Value]]:
    """Return the fields of a message by number."""
    found: dict[int, list[Value]] = {}
    for number, value in fields(_bytes(content)):
        found.setdefault(number, []).append(value)
    return found


def _listed(answer: bytes) -> list[dict[int, list[Value]]]:
    return [dict_of(value) for number, value in fields(answer) if number == 1]


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _texts(values: list[Value] | None) -> list[str]:
    return [_bytes(value).decode("utf-8", "replace") for value in values or []]


def _text(values: list[Value] | None) -> str:
    return next(iter(_texts(values)), "")
