"""Ways to log in to a real `groundplane up`, with kubectl and a browser's requests; and what is left of the secrets."""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import yaml
from tests.support.issuer import Issuer, issuing

from groundplane.server import certificates

KUBECTL = Path(sys.executable).with_name("kubectl")
GROUNDPLANE = (sys.executable, "-W", "error", "-m", "groundplane.cli.main")
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"
CSRF = {"x-groundplane-csrf": "1"}


@dataclass
class Engine:
    """The running engine. `secrets` are what must be nowhere afterwards."""

    home: Path
    url: str
    issuer: Issuer
    secrets: list[str] = field(default_factory=list)

    def groundplane(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [*GROUNDPLANE, *arguments, "--home", str(self.home)],
            input=stdin, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    def kubectl(self, *arguments: str, login: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run kubectl with these credentials alone."""
        config = yaml.safe_load((self.home / "admin.kubeconfig").read_text())
        config["users"][0]["user"] = login
        path = self.home.parent / f"kubeconfig-{secrets.token_hex(4)}"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        command = [KUBECTL, f"--kubeconfig={path}", f"--cache-dir={self.home.parent}/cache", *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        finally:
            path.unlink()

    def browser(self) -> httpx2.Client:
        trust = ssl.create_default_context(cafile=self.home / "ca.crt")
        return httpx2.Client(base_url=self.url, verify=trust, timeout=30)

    def secret(self) -> str:
        made = secrets.token_hex(12)
        self.secrets.append(made)
        return made


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("credentials")
    home = folder / "home"
    home.mkdir(mode=0o700)
    with issuing(folder / "issuer") as issuer, (folder / "log").open("w") as log:
        (folder / "policy.yaml").write_text(POLICY)
        settings = {
            "audit": {"policyFile": str(folder / "policy.yaml")},
            "oidc": {"issuerUrl": issuer.url, "clientId": "groundplane", "caFile": str(issuer.ca),
                     "groupsClaim": "groups", "usernamePrefix": "oidc:"},
        }  # fmt: skip
        (home / "server.yaml").write_text(yaml.safe_dump(settings))
        command = [*GROUNDPLANE, "up", "--home", str(home), "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "answers at" in line, (folder / "log").read_text()
        yield Engine(home, line.split()[-1], issuer)
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0, (folder / "log").read_text()


def _whoami(done: subprocess.CompletedProcess[str]) -> tuple[str, list[str]]:
    assert done.returncode == 0, done.stderr
    info = json.loads(done.stdout)["status"]["userInfo"]
    return info["username"], info["groups"]


WHOAMI = ("auth", "whoami", "-o", "json")


def test_kubectl_logs_in_with_a_client_certificate(engine: Engine) -> None:
    made = engine.groundplane("certificate", "create", "ada", "--group", "team-a", "--group", "system:masters")
    login = yaml.safe_load(made)["users"][0]["user"]
    engine.secrets.append(login["client-key-data"][60:100])
    name, groups = _whoami(engine.kubectl(*WHOAMI, login=login))
    assert (name, groups) == ("ada", ["team-a", "system:masters", "system:authenticated"])
    assert engine.kubectl("get", "secrets", "-A", login=login).returncode == 0


def _over(engine: Engine, folder: Path) -> dict[str, str]:
    made = yaml.safe_load(engine.groundplane("certificate", "create", "ada", "--ttl", "0s"))
    login: dict[str, str] = made["users"][0]["user"]
    return login


def _of_another_authority(engine: Engine, folder: Path) -> dict[str, str]:
    files = certificates.ensure(folder)
    made, key = certificates.issue_client(files, "ada", ("system:masters",), timedelta(hours=1))
    coded = [base64.b64encode(one).decode() for one in (made, key)]
    return {"client-certificate-data": coded[0], "client-key-data": coded[1]}


@pytest.mark.parametrize("bad", [_over, _of_another_authority])
def test_a_bad_certificate_lets_nobody_in(
    engine: Engine, tmp_path: Path, bad: Callable[[Engine, Path], dict[str, str]]
) -> None:
    done = engine.kubectl(*WHOAMI, login=bad(engine, tmp_path))
    assert done.returncode != 0
    assert "ada" not in done.stdout


def test_a_token_lets_in_until_it_is_revoked(engine: Engine) -> None:
    token = engine.groundplane("token", "create", "bob", "--group", "team-b", "--ttl", "1h").strip()
    engine.secrets.append(token)
    assert _whoami(engine.kubectl(*WHOAMI, login={"token": token})) == ("bob", ["team-b", "system:authenticated"])
    line = next(one for one in engine.groundplane("token", "list").splitlines() if " bob " in one)
    engine.groundplane("token", "revoke", line.split()[0])
    done = engine.kubectl(*WHOAMI, login={"token": token})
    assert done.returncode != 0
    assert "Unauthorized" in done.stderr


def test_kubectl_logs_in_with_an_id_token(engine: Engine) -> None:
    key = engine.issuer.key("one")
    token = engine.issuer.token(key, groups=["system:masters"])
    engine.secrets.append(token.rpartition(".")[2])
    assert _whoami(engine.kubectl(*WHOAMI, login={"token": token})) == (
        "oidc:ada",
        ["system:masters", "system:authenticated"],
    )
    assert engine.kubectl("get", "secrets", "-A", login={"token": token}).returncode == 0
    wrong = engine.kubectl(*WHOAMI, login={"token": engine.issuer.token(key, aud="other")})
    assert "Unauthorized" in wrong.stderr


def test_a_password_user_works_in_a_session(engine: Engine) -> None:
    password = engine.secret()
    engine.groundplane("user", "add", "eve", "--group", "system:masters", stdin=f"{password}\n")
    assert "eve  system:masters" in engine.groundplane("user", "list")
    with engine.browser() as http:
        typed = engine.secret()
        assert http.post("/login", json={"user": "eve", "password": typed}, headers=CSRF).status_code == 401
        assert http.post("/login", json={"user": typed, "password": typed}, headers=CSRF).status_code == 401
        assert http.post("/login", json={"user": "eve", "password": password}, headers=CSRF).status_code == 200
        engine.secrets.append(http.cookies["__Host-groundplane"])
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"s-{secrets.token_hex(4)}"},
            "stringData": {"k": engine.secret()},
        }
        path = "/api/v1/namespaces/default/secrets"
        assert http.post(path, json=body).status_code == 403
        assert http.post(path, json=body, headers=CSRF).status_code == 201
        name = f"s-{secrets.token_hex(4)}"
        body["metadata"], body["stringData"] = {"name": name}, {"k": engine.secret()}
        where = f"{path}/{name}?fieldManager=test"
        applied = http.patch(where, json=body, headers={**CSRF, "content-type": "application/apply-patch+yaml"})
        assert applied.status_code == 201
        engine.groundplane("user", "remove", "eve")
        assert http.get("/session").status_code == 401


def test_no_secret_is_left_in_audit_log_log_or_data(engine: Engine) -> None:
    # Tests come in any order: what the others leave is searched too when they were first.
    test_a_password_user_works_in_a_session(engine)
    forms = [form for one in engine.secrets for form in (one, base64.b64encode(one.encode()).decode().rstrip("="))]
    searched = 0
    for folder, _, names in os.walk(engine.home.parent):
        for name in names:
            content = (Path(folder) / name).read_bytes()
            searched += len(content)
            found = [form for form in forms if form.encode() in content]
            assert not found, f"{folder}/{name}"
    audit = (engine.home / "logs" / "audit" / "audit.log").read_text()
    assert '"resource":"secrets"' in audit
    assert searched > 10_000
