"""Kubeconfig files: merged as kubectl merges them; files and commands only from the user's own ones."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from groundplane.kube.kubeconfig import (
    Access,
    CommandNotAllowed,
    ExecPlugin,
    Kubeconfig,
    KubeconfigInvalid,
    flatten,
    render_kubeconfig,
    write_kubeconfig,
)

EXEC = "client.authentication.k8s.io/v1"
EXEC_EXTENSION = "client.authentication.k8s.io/exec"


def document(name: str, server: str, user: dict[str, object], **cluster: object) -> bytes:
    return yaml.safe_dump(
        {
            "clusters": [{"name": name, "cluster": {"server": server, **cluster}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "shop"}}],
            "current-context": name,
        }
    ).encode()


def test_what_is_rendered_is_read_back_and_kubectl_reads_it_too(tmp_path):
    access = Access(
        "https://10.0.0.1:6443",
        ca=b"the ca",
        token="the token",
        certificate=b"cert",
        key=b"key",
        namespace="shop",
        context="demo",
    )
    data = render_kubeconfig(access, name="demo")
    assert Kubeconfig.parse(data).access() == access
    path = tmp_path / "deep" / "config"
    write_kubeconfig(path, data)
    assert path.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["kubectl", "--kubeconfig", path, "config", "view", "--raw", "-o", "jsonpath={.users[0].user.token}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "the token"


def test_of_two_files_the_first_wins_and_relative_paths_belong_to_their_file(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ca.crt").write_text(f"ca of {name}")
    relative = {"certificate-authority": "ca.crt"}
    (tmp_path / "one/config").write_bytes(document("a", "https://first", {"tokenFile": "token"}, **relative))
    both = yaml.safe_load(document("a", "https://second", {}))
    both["clusters"].append({"name": "b", "cluster": {"server": "https://b/", **relative}})
    both["contexts"].append({"name": "b", "context": {"cluster": "b", "user": "a"}})
    (tmp_path / "two/config").write_text(yaml.safe_dump(both))

    config = Kubeconfig.load([tmp_path / "one/config", tmp_path / "missing", tmp_path / "two/config"])
    assert config.contexts == ["a", "b"]
    first = config.access()
    assert (first.server, first.ca, first.namespace) == ("https://first", b"ca of one", "shop")
    assert first.token_file == tmp_path / "one/token"
    second = config.access("b")
    assert (second.server, second.ca, second.namespace) == ("https://b", b"ca of two", "default")


def test_a_plugin_with_a_slash_is_relative_to_the_file_and_without_one_is_looked_for_in_path(tmp_path):
    for command, expected in (("./login", str(tmp_path / "login")), ("login", "login")):
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": ["x"]}
        plugin["interactiveMode"] = "Never"
        plugin["env"] = [{"name": "A", "value": "b"}]
        (tmp_path / "config").write_bytes(document("a", "https://x", {"exec": plugin}))
        found = Kubeconfig.load([tmp_path / "config"]).access().exec_plugin
        assert found == ExecPlugin(
            "client.authentication.k8s.io/v1", expected, ("x",), {"A": "b"}, interactive_mode="Never"
        )


@pytest.mark.parametrize(
    ("user", "cluster", "word"),
    [
        ({"exec": {"command": "rm", "args": ["-rf", "/"]}}, {}, "command 'rm'"),
        ({"tokenFile": "/etc/shadow"}, {}, "tokenFile"),
        ({"client-key": "/root/.ssh/id_ed25519", "client-certificate-data": "eA=="}, {}, "client-key"),
        ({"token": "t"}, {"certificate-authority": "/etc/passwd"}, "certificate-authority"),
    ],
)
def test_a_document_that_came_over_the_api_may_not_name_files_or_commands_of_ours(user, cluster, word):
    with pytest.raises(KubeconfigInvalid, match=word):
        Kubeconfig.parse(document("a", "https://x", user, **cluster)).access()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"users: [token: s3cr3t: }", "not YAML at line 1"),
        (b"- s3cr3t", "not a kubeconfig"),
        (b"kind: Secret", "not a kubeconfig"),
        (b"clusters: [{cluster: {server: s3cr3t}}]", "no name"),
        (b"current-context: gone", "cannot find context 'gone'"),
        (document("a", "", {"token": "s3cr3t"}), "names no server"),
        (document("a", "https://x", {"client-key-data": "s3cr3t"}), "client-key-data is not base64"),
    ],
)
def test_what_is_wrong_is_said_without_quoting_the_document(data, words):
    with pytest.raises(KubeconfigInvalid, match=words) as caught:
        Kubeconfig.parse(data).access()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"username": "a", "password": "s3cr3t"}, {}, "its user has username, which is not supported"),
        ({"auth-provider": {"name": "gcp"}}, {}, "its user has auth-provider"),
        ({"token": "s3cr3t", "as": "root"}, {}, "its user has as,"),
        ({"token": "s3cr3t"}, {"insecure-skip-tls-verify": True}, "lets anybody pose as the server"),
        (
            {"token": "s3cr3t"},
            {"insecure-skip-tls-verify": True, "certificate-authority-data": "eA=="},
            "with the insecure flag is not allowed",
        ),
        ({"token": "s3cr3t"}, {"proxy-url": "socks5://127.0.0.1:1080"}, "neither http nor https"),
        ({"token": "t"}, {"server": "https://me:s3cr3t@x:6443/a"}, "has a user or a password in it"),
    ],
)
def test_what_cannot_be_followed_safely_is_refused_by_name_and_never_left_out(user, cluster, words):
    with pytest.raises(KubeconfigInvalid, match=words) as caught:
        Kubeconfig.parse(document("a", **{"server": "https://x", "user": user} | cluster)).access()
    assert "s3cr3t" not in str(caught.value)


def test_a_users_own_file_may_leave_the_server_unchecked(tmp_path):
    path = tmp_path / "config"
    path.write_bytes(document("a", "https://x", {"token": "t"}, **{"insecure-skip-tls-verify": True}))
    assert Kubeconfig.load([path]).access().insecure


@pytest.mark.parametrize(
    ("version", "mode", "words"),
    [
        ("v1", None, "interactiveMode must be specified for login to use exec authentication plugin"),
        ("v1", "Sometimes", "'Sometimes' is not Never, IfAvailable or Always"),
        ("v1beta1", "Sometimes", "'Sometimes' is not Never, IfAvailable or Always"),
    ],
)
def test_a_plugin_must_say_whether_it_asks_somebody(tmp_path, version, mode, words):
    plugin = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "login"}
    if mode:
        plugin["interactiveMode"] = mode
    path = tmp_path / "config"
    path.write_bytes(document("a", "https://x", {"exec": plugin}))
    with pytest.raises(KubeconfigInvalid, match=words):
        Kubeconfig.load([path]).access()


def test_a_missing_file_is_named_with_a_remedy(tmp_path):
    with pytest.raises(KubeconfigInvalid, match="no such file") as caught:
        Kubeconfig.load([tmp_path / "nothing"])
    assert str(tmp_path / "nothing") in str(caught.value)
    assert caught.value.remedy


def plugin(command: str, **more: object) -> dict[str, object]:
    return {"exec": {"apiVersion": EXEC, "command": command, "interactiveMode": "Never", **more}}


@pytest.mark.parametrize(("named", "runs"), [("/opt/bin/aws", "/opt/bin/aws"), ("aws", "/opt/bin/aws")])
def test_a_document_may_name_a_command_that_is_allowed_and_gets_that_one(named, runs):
    data = document("a", "https://x", plugin(named, args=["get-token"]))
    access = Kubeconfig.parse(data, commands=["/usr/bin/gcloud", "/opt/bin/aws"]).access()
    assert access.exec_plugin is not None
    assert (access.exec_plugin.command, access.exec_plugin.arguments) == (runs, ("get-token",))


@pytest.mark.parametrize("named", ["/tmp/aws", "./aws", "bin/aws", "../opt/bin/aws", "aws2", "", "/opt/bin/../bin/aws"])
def test_any_other_command_is_refused_with_the_setting_that_allows_it(named):
    with pytest.raises(CommandNotAllowed, match="GROUNDPLANE_EXEC_PLUGINS"):
        Kubeconfig.parse(document("a", "https://x", plugin(named)), commands=["/opt/bin/aws"]).access()


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "PYTHONPATH", "BASH_ENV", "NODE_OPTIONS"])
def test_an_allowed_command_is_not_made_to_run_another(name):
    user = plugin("aws", env=[{"name": "AWS_PROFILE", "value": "p"}, {"name": name, "value": "s3cr3t"}])
    with pytest.raises(CommandNotAllowed, match=name) as caught:
        Kubeconfig.parse(document("a", "https://x", user), commands=["/opt/bin/aws"]).access()
    assert "s3cr3t" not in str(caught.value)


def test_a_flattened_kubeconfig_needs_no_file_and_means_the_same(tmp_path):
    (tmp_path / "token").write_text("the token\n")
    (tmp_path / "ca.crt").write_text("the ca")
    (tmp_path / "config").write_bytes(
        document(
            "a", "https://x", {"tokenFile": "token"}, **{"certificate-authority": "ca.crt", "proxy-url": "http://p"}
        )
    )
    flat = Kubeconfig.parse(flatten(Kubeconfig.load([tmp_path / "config"]).access(), name="a")).access()
    assert (flat.token, flat.ca, flat.proxy, flat.namespace) == ("the token", b"the ca", "http://p", "shop")


def test_a_flattened_plugin_stays_a_plugin_with_the_path_it_had(tmp_path):
    extension = {"name": EXEC_EXTENSION, "extension": {"audience": "x"}}
    user = plugin("bin/login", args=["a"], env=[{"name": "E", "value": "1"}], provideClusterInfo=True, installHint="h")
    (tmp_path / "config").write_bytes(document("a", "https://x", user, extensions=[extension]))
    own = Kubeconfig.load([tmp_path / "config"]).access()
    data = flatten(own, name="a")
    assert Kubeconfig.parse(data, commands=[str(tmp_path / "bin/login")]).access().exec_plugin == own.exec_plugin


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b"clusters: 5",
        b"clusters: [5]",
        b"clusters: [{name: a, cluster: 5}]",
        document("a", "https://x", {"exec": [1]}),
        document("a", "https://x", {"exec": {"command": "/opt/bin/aws", "env": 3}}),
        document("a", "https://x", {"exec": {"command": "/opt/bin/aws"}}, extensions=7),
        document("a", "https://[x", {}),
        document("a", "ftp://x", {}),
        document("a", "https://x:port", {}),
        b"\xff\xfe\x00",
        b"- a",
        b"day: 2024-02-30",
        b"number: !!int abc",
        b"a: &a [x]\nb: *a\n" + document("a", "https://x", {}),
    ],
)
def test_a_document_of_any_shape_is_refused_and_breaks_nothing(data):
    with pytest.raises(KubeconfigInvalid):
        Kubeconfig.parse(data, commands=["/opt/bin/aws"]).access()


@pytest.mark.parametrize("server", ["http://kube.example.com", "HTTP://10.0.0.1:8080", "http://127.0.0.1.example.com"])
def test_credentials_go_out_in_clear_only_to_this_machine_unless_it_is_the_users_own_file(tmp_path, server):
    data = document("a", server, {"token": "t"})
    with pytest.raises(KubeconfigInvalid, match="in clear") as caught:
        Kubeconfig.parse(data).access()
    assert "https" in caught.value.remedy
    (tmp_path / "config").write_bytes(data)
    assert Kubeconfig.load([tmp_path / "config"]).access().server == server
    for here in ("http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"):
        assert Kubeconfig.parse(document("a", here, {"token": "t"})).access().server == here
