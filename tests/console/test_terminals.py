"""A terminal on a machine, in a real browser before a real server, with a real sshd as the machine."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from playwright.sync_api import Page, expect

from groundplane.server.authn.tokens import Tokens
from support.jump import Jump, jump_host
from support.sshd import Sshd, running_sshd

from . import fleet
from .conftest import Site, Visitor, served
from .test_pages import heading, violations


@dataclass
class Ground:
    """A site, and what its machines are behind."""

    site: Site
    sshd: Sshd
    jump: Jump
    tokens: Tokens

    def machine(self, name: str, address: str, *, host_key: str = "", **spec: Any) -> None:
        made = fleet.machine(name, address)
        made["spec"]["ssh"] = {
            "secretRef": {"name": "key"},
            "hostKey": host_key or self.sshd.host_key,
            "jump": self.jump.spec("key"),
        }
        made["spec"].update(spec)
        self.site.make("machines", made)

    def token(self, name: str, role: str) -> str:
        self.site.grant(role, user=name, namespace="default", name=name)
        return self.tokens.issue_token(name, (), timedelta(hours=1))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    with running_sshd(folder / "sshd") as sshd, jump_host(sshd.port) as jump, served(folder) as site:
        secret = {
            "type": "groundplane.dev/ssh",
            "metadata": {"name": "key"},
            "data": {"ssh-privatekey": base64.b64encode(sshd.client_key).decode()},
        }
        done = site.http.post("/api/v1/namespaces/default/secrets", json=secret)
        assert done.status_code == 201, done.text
        yield Ground(site, sshd, jump, Tokens(folder / "home" / "tokens"))


def screen(page: Page, text: str) -> None:
    expect(page.locator(".xterm-rows")).to_contain_text(text)


def test_a_shell_on_a_machine_is_opened_and_ends_with_its_exit_code(visitor: Visitor, ground: Ground) -> None:
    ground.machine("shell", "198.18.23.1")
    visit = visitor(ground.site)
    page = visit.page
    visit.sign_in(path="/machines/default/shell")
    page.get_by_role("link", name="Terminal", exact=True).click()
    heading(page, "Terminal on shell")
    screen(page, "#")
    page.keyboard.type("hostname; echo $((6*7)) $(stty size | wc -w)\n")
    screen(page, socket.gethostname())
    screen(page, "42 2")
    page.keyboard.type("exit 3\n")
    expect(page.get_by_text("The shell has ended. Exit code: 3.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Open another").click()
    screen(page, "#")
    page.keyboard.type("echo $((7*9))\n")
    screen(page, "63")
    expect(page.get_by_text("The shell has ended")).to_have_count(0)
    assert visit.said_badly() == []


def test_the_terminal_fits_its_place_and_follows_it(visitor: Visitor, ground: Ground) -> None:
    ground.machine("sized", "198.18.23.2")
    visit = visitor(ground.site)
    page = visit.page
    visit.sign_in(path="/machines/default/sized/terminal")
    screen(page, "#")
    page.set_viewport_size({"width": 700, "height": 800})
    # The prompt is drawn anew once the shell has heard of the size, so it is asked for until it is another.
    page.keyboard.type("while [ $(stty size | cut -d' ' -f2) -gt 90 ]; do sleep 0.1; done; echo narrow-$((1+1))\n")
    screen(page, "narrow-2")


def test_leaving_the_page_ends_the_shell(visitor: Visitor, ground: Ground, tmp_path: Path) -> None:
    ground.machine("left", "198.18.23.3")
    visit = visitor(ground.site)
    page = visit.page
    visit.sign_in(path="/machines/default/left/terminal")
    screen(page, "#")
    page.keyboard.type(f"echo $$ > {tmp_path}/pid; echo $((6*7))\n")
    screen(page, "42")
    shell = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline")
    assert shell.read_bytes()
    page.get_by_role("link", name="Overview").click()
    heading(page, "Overview")
    deadline = time.monotonic() + 20
    while shell.exists() and shell.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_why_a_machine_cannot_be_reached_is_read_on_the_page(visitor: Visitor, ground: Ground) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    ground.machine("strange", "198.18.23.4", host_key=other)
    visit = visitor(ground.site, locale="zh-CN")
    visit.sign_in(path="/machines/default/strange")
    visit.page.get_by_role("link", name="终端", exact=True).click()
    heading(visit.page, "strange 的终端")
    expect(visit.page.get_by_text("cannot trust strange")).to_be_visible()
    expect(visit.page.get_by_text("set spec.ssh.hostKey to its new key")).to_be_visible()
    assert visit.said_badly() == []


def test_an_operation_at_work_is_told_of_and_the_terminal_opens_all_the_same(visitor: Visitor, ground: Ground) -> None:
    ground.site.make("foundations", fleet.foundation("production"))
    ground.site.make("distributions", fleet.distribution("native"))
    ground.site.make("clusters", fleet.made("busy"))
    ground.machine("member", "198.18.23.5", clusterRef={"name": "busy"}, role="Worker")
    visit = visitor(ground.site)
    visit.sign_in(path="/machines/default/member/terminal")
    screen(visit.page, "#")
    expect(visit.page.get_by_text("An operation is at work")).to_have_count(0)
    ground.site.make("operations", fleet.operation("change-busy", "busy", phase="Running"))
    expect(visit.page.get_by_text("An operation is at work on cluster busy")).to_be_visible()
    visit.page.get_by_role("link", name="change-busy").click()
    heading(visit.page, "change-busy")


@pytest.mark.parametrize(("role", "links"), [("admin", 1), ("edit", 0)])
def test_the_way_there_is_shown_to_who_may_go_it(visitor: Visitor, ground: Ground, role: str, links: int) -> None:
    ground.machine(f"for-{role}", f"198.18.23.{6 + links}")
    token = ground.token(f"an-{role}", role)
    visit = visitor(ground.site)
    visit.sign_in(token)
    visit.page.get_by_placeholder("All namespaces").fill("default")
    visit.open(f"/machines/default/for-{role}")
    expect(visit.page.get_by_role("button", name="Look now")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Terminal", exact=True)).to_have_count(links)
