"""A real kube-apiserver v1.20.2 and etcd on loopback, from the lab's artifacts: the judge of our client side.

No kubelet, scheduler or controllers: objects stay as they are written.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from groundplane.kube.kubeconfig import Access
from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.binaries import ensure_binaries

TOKEN = "the-token-of-the-test-administrator"
GUEST_TOKEN = "the-token-of-somebody-without-rights"
# Users that have the rights that a test gives them, and nobody else has.
SURVEYOR, SURVEYOR_TOKEN = "surveyor", "the-token-of-somebody-who-surveys"


@dataclass(frozen=True, slots=True)
class RealKube:
    """Both processes, just started, the administrator's access, and etcd's address."""

    access: Access
    etcd_url: str
    etcd: subprocess.Popen[bytes]
    server: subprocess.Popen[bytes]


@contextmanager
def real_kube(folder: Path) -> Iterator[Access]:
    """Run etcd and kube-apiserver with their data in `folder`; give the administrator's access."""
    with ready_real_kube(folder) as started:
        yield started.access


@contextmanager
def ready_real_kube(folder: Path) -> Iterator[RealKube]:
    """Run both as `real_kube` does; give the processes and addresses too."""
    etcd = extract_etcd(folder)
    with start_real_kube(folder, etcd, fsync=False) as started:
        _wait_ready(started.access, folder, started.server)
        yield started


@contextmanager
def start_real_kube(folder: Path, etcd: Path, *, fsync: bool) -> Iterator[RealKube]:
    """Start the etcd that was extracted and kube-apiserver, and do not wait; without fsync etcd is for tests only."""
    port, peer, secure = _free_ports(3)
    ca = _files(folder)
    client = f"http://127.0.0.1:{port}"
    etcd_command: list[str | Path] = [
        etcd,
        "--data-dir",
        folder / "etcd-data",
        *([] if fsync else ["--unsafe-no-fsync"]),
    ]
    etcd_command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    etcd_command += ["--listen-peer-urls", f"http://127.0.0.1:{peer}", "--log-level", "warn"]
    server_command: list[str | Path] = [ensure_binaries() / "kube-apiserver", f"--etcd-servers={client}"]
    server_command += [f"--secure-port={secure}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"]
    server_command += [f"--tls-cert-file={folder}/server.crt", f"--tls-private-key-file={folder}/server.key"]
    server_command += [f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC"]
    server_command += ["--service-account-issuer=https://kubernetes.default.svc", "--anonymous-auth=false"]
    server_command += [f"--service-account-key-file={folder}/server.key"]
    server_command += [f"--service-account-signing-key-file={folder}/server.key"]
    server_command += ["--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"]
    server_command += [f"--client-ca-file={folder}/server.crt", f"--audit-log-path={folder}/audit.log"]
    server_command += [f"--audit-policy-file={folder}/audit.yaml"]
    access = Access(f"https://127.0.0.1:{secure}", ca=ca, token=TOKEN)
    with (
        (folder / "log").open("ab") as log,
        _running(etcd_command, log) as store,
        _running(server_command, log) as server,
    ):
        yield RealKube(access, client, store, server)


@contextmanager
def _running(command: list[str | Path] | list[Path], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(access: Access, folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server says that it is ready and has made its first namespaces."""
    command = ["curl", "--silent", "--fail", "--cacert", str(folder / "server.crt")]
    command += ["--retry", "120", "--retry-delay", "1", "--retry-all-errors", "--retry-max-time", "120"]
    command += ["--header", f"Authorization: Bearer {TOKEN}"]
    for path in ("/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default"):
        done = subprocess.run([*command, access.server + path], capture_output=True, check=False)
        if done.returncode != 0:
            tail = (folder / "log").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"kube-apiserver (exit {server.poll()}) did not become ready:\n{tail}")


def extract_etcd(folder: Path) -> Path:
    """Unpack the lab's etcd image into `folder` and return the binary."""
    image = ensure_artifacts() / "images" / "etcd.tar"
    with tarfile.open(image) as outer:
        member = outer.extractfile("manifest.json")
        assert member is not None
        layers = json.load(member)[0]["Layers"]
        for layer in layers:
            data = outer.extractfile(layer)
            assert data is not None
            with tarfile.open(fileobj=data) as inner:
                inner.extractall(folder / "etcd-root", filter="data")
    return folder / "etcd-root/usr/local/bin/etcd"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def audited(folder: Path) -> list[dict[str, Any]]:
    """Return what the surveyor asked for and was answered, as the server of `folder` wrote it down."""
    events = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]
    return [event for event in events if event["stage"] == "ResponseComplete"]


def client_certificate(folder: Path, name: str, *, until: timedelta) -> tuple[bytes, bytes]:
    """Return a certificate of `name`, an administrator of the server of `folder`, and its key.

    It ends `until` from now.
    """
    signer = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    issuer = x509.load_pem_x509_certificate((folder / "server.crt").read_bytes()).subject
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
    ]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=2))
        .not_valid_after(now + until)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _files(folder: Path) -> bytes:
    """Write the tokens, the server's key and its certificate, which is its own CA; return the CA."""
    users = [f'{TOKEN},admin,admin,"system:masters"', f"{GUEST_TOKEN},guest,guest"]
    users += [f"{SURVEYOR_TOKEN},{SURVEYOR},{SURVEYOR}"]
    (folder / "tokens.csv").write_text("\n".join(users) + "\n")
    # Everything that the surveyor asks is written down; others ask too much.
    policy = {"rules": [{"level": "Metadata", "users": [SURVEYOR]}, {"level": "None"}]}
    (folder / "audit.yaml").write_text(json.dumps(policy | {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "server.crt").write_bytes(pem)
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, traditional, serialization.NoEncryption())
    )
    return pem
