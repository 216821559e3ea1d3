"""A cluster's whole life in the console: machines added, a cluster created by form, its Foundation changed, the drift
mended by a migration that is approved, a pod's log and shell, a shell on a machine, and the cluster deleted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from support.long import long

from . import by_browser
from .by_browser import PATIENCE
from .test_life_of_a_cluster import traces
from .world import ROOT, World

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

CREATED = MIGRATED = 420_000


@dataclass(frozen=True)
class Words:
    """What stands on the buttons and labels, in one language."""

    locale: str
    token: str = "Token"
    machines: str = "Machines"
    clusters: str = "Clusters"
    add: str = "Add machines"
    addresses: str = "Addresses"
    prefix: str = "Name begins with"
    key: str = "Private key"
    add_three: str = "Add 3 machines"
    foundations: str = "Foundations"
    new: str = "New Foundation"
    name: str = "Name"
    version: str = "Version"
    runtime: str = "Runtime"
    systems: str = "Operating systems to move to"
    time: str = "Time service"
    create: str = "Create"
    create_cluster: str = "Create cluster"
    foundation: str = "Foundation"
    more: str = "Further fields of the spec, as YAML"
    role: str = "Role"
    operations: str = "Operations"
    approve: str = "Approve"
    succeeded: str = "Succeeded"
    ready: str = "Ready"
    by_form: str = "Change by form"
    save: str = "Save"
    drift: str = "Drift"
    resources: str = "Resources"
    terminal: str = "Terminal"
    log: str = "Log"
    ended: str = "The shell has ended."
    delete: str = "Delete…"
    type_name: str = "Type e2e to confirm"
    confirm: str = "Confirm"
    none: str = "There is no cluster yet."
    waiting: str = "Awaiting approval"


ENGLISH = Words("en-GB")
CHINESE = Words(
    "zh-CN", "令牌", "机器", "集群", "添加机器", "地址", "名称前缀", "私钥", "添加 3 台机器",
    "基座", "新建基座", "名称", "版本", "运行时", "推荐的操作系统", "时间同步服务", "创建", "创建集群",
    "基座", "其他 spec 字段（YAML）", "角色", "操作", "批准", "成功", "就绪", "用表单修改", "保存",
    "偏差", "资源", "终端", "日志", "会话已结束。", "删除…", "输入 e2e 以确认", "确认", "还没有集群。", "等待批准",
)  # fmt: skip


@pytest.mark.parametrize("words", [ENGLISH, pytest.param(CHINESE, marks=long)], ids=["en", "zh"])
def test_a_cluster_lives_in_the_console(world: World, words: Words) -> None:
    before = traces(world)
    # What is typed into a form is not right from its first letter on.
    with by_browser.signed_in(world, locale=words.locale, by=words.token, refusals=(401, 422)) as (page, server):
        life = Life(page, words, world)
        life.begin()
        life.change()
        life.look_inside(server)
        life.shell_on_a_machine()
        life.end()
    assert changed(before, traces(world)) == {}


def changed(before: dict[str, str], after: dict[str, str]) -> dict[str, set[str]]:
    """The lines by which the machines differ from what they were."""
    differ = {name: set(text.splitlines()) ^ set(after[name].splitlines()) for name, text in before.items()}
    return {name: lines for name, lines in differ.items() if lines}


@dataclass
class Life:
    """What an operator does, page by page."""

    page: Page
    words: Words
    world: World

    def menu(self, name: str) -> None:
        self.page.locator("nav.menu").get_by_role("link", name=name, exact=True).click()

    def row(self, name: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_role("combobox", name=label, exact=True).select_option(value)

    def begin(self) -> None:
        """Three machines, a Foundation with Docker, and a cluster on them whose plan is approved."""
        self._machines()
        self._foundation()
        page, words = self.page, self.words
        self.menu(words.clusters)
        page.get_by_role("link", name=words.create_cluster).click()
        self.fill(words.name, "e2e")
        self.choose(words.foundation, "ground")
        lab_only = yaml.safe_load((ROOT / "examples/demo/cluster.yaml").read_text())["spec"]
        self.fill(words.more, yaml.safe_dump({key: lab_only[key] for key in ("addons", "components", "kubeadm")}))
        for number, found in enumerate(self.world.lab.machines):
            role = "Worker" if number else "ControlPlane"
            self.choose(f"{words.role}: {found.name}", role)
        self.press(words.create)
        expect(page.get_by_role("heading", name="e2e")).to_be_visible()
        self._approve("Create", CREATED)
        expect(page.locator(".page-head .status")).to_have_text(words.ready, timeout=PATIENCE)

    def _machines(self) -> None:
        page, words, lab = self.page, self.words, self.world.lab
        self.menu(words.machines)
        page.get_by_role("link", name=words.add).click()
        self.fill(words.addresses, "\n".join(found.address for found in lab.machines))
        self.fill(words.prefix, lab.machines[0].name.removesuffix("1"))
        self.fill(words.key, lab.private_key.read_text())
        self.press(words.add_three)
        for found in lab.machines:
            expect(self.row(found.name)).to_contain_text(words.ready)

    def _foundation(self) -> None:
        page, words = self.page, self.words
        self.menu(words.foundations)
        page.get_by_role("link", name=words.new).click()
        self.fill(words.name, "ground")
        self.fill(words.version, "v1.20.2")
        self.choose(words.runtime, "docker")
        self.fill(words.systems, "debian 12")
        # The lab's machines share the clock of the machine that they run on.
        self.choose(words.time, "Ignored")
        self.press(words.create)
        expect(page.get_by_role("heading", name="ground")).to_be_visible()

    def _approve(self, action: str, milliseconds: int) -> None:
        """See the plan that waits succeed, and go back to the cluster."""
        page, words = self.page, self.words
        self._begin(action)
        expect(page.locator(".page-head .status")).to_have_text(words.succeeded, timeout=milliseconds)
        self.menu(words.clusters)
        self.row("e2e").get_by_role("link", name="e2e").click()

    def _begin(self, action: str) -> None:
        """Open the plan that waits, and approve it."""
        page, words = self.page, self.words
        page.locator("nav.tabs").get_by_role("link", name=words.operations, exact=True).click()
        # Of an action of its own: what the list knew when it was last looked at may show for a moment.
        waiting = page.get_by_role("row").filter(has_text=words.waiting).filter(has_text=action)
        waiting.get_by_role("link").first.click(timeout=90_000)
        self.press(words.approve)
        page.get_by_role("dialog").get_by_role("button", name=words.approve, exact=True).click()

    def change(self) -> None:
        """The Foundation wants containerd: the drift shows, and the migration is approved."""
        page, words = self.page, self.words
        self.menu(words.foundations)
        page.get_by_role("link", name="ground").click()
        page.get_by_role("link", name=words.by_form).click()
        self.choose(words.runtime, "containerd")
        self.press(words.save)
        page.get_by_role("link", name="e2e").click()
        page.locator("nav.tabs").get_by_role("link", name=words.drift, exact=True).click()
        drift = page.get_by_role("row").filter(has_text=words.runtime).filter(has_text="containerd")
        expect(drift).to_contain_text("docker")
        self._approve("Change", MIGRATED)
        nodes = self.world.nodes().values()
        runtimes = {node["status"]["nodeInfo"]["containerRuntimeVersion"].partition(":")[0] for node in nodes}
        assert runtimes == {"containerd"}

    def look_inside(self, server: str) -> None:
        """A shell in a pod, and its log."""
        self.world.workload_answers()
        page, words = self.page, self.words
        page.locator("nav.tabs").get_by_role("link", name=words.resources, exact=True).click()
        link = page.get_by_role("link", name="echo-").first
        pod = link.inner_text()
        link.click()
        by_browser.use_shell(page, pod, tab=words.terminal, ended=words.ended)
        by_browser.read_log(page, server, tab=words.log)

    def shell_on_a_machine(self) -> None:
        """A shell on the machine itself, over SSH."""
        page, words, found = self.page, self.words, self.world.lab.machines[0]
        self.menu(words.machines)
        self.row(found.name).get_by_role("link", name=found.name).click()
        by_browser.use_shell(page, found.name, tab=words.terminal, ended=words.ended)

    def end(self) -> None:
        """The cluster is deleted after its name was typed, and its machines after theirs."""
        page, words = self.page, self.words
        self.menu(words.clusters)
        self.row("e2e").get_by_role("link", name="e2e").click()
        self.press(words.delete)
        self._confirm(words.confirm, words.type_name, "e2e")
        self.row("e2e").get_by_role("link", name="e2e").click()
        self._begin("Delete")
        # The operation goes with its cluster.
        self.menu(words.clusters)
        expect(page.get_by_text(words.none)).to_be_visible(timeout=MIGRATED)
        for found in self.world.lab.machines:
            self.menu(words.machines)
            self.row(found.name).get_by_role("link", name=found.name).click()
            self.press(words.delete)
            self._confirm(words.delete.rstrip("…"), words.type_name.replace("e2e", found.name), found.name)
            expect(self.row(found.name)).to_have_count(0)

    def _confirm(self, action: str, label: str, typed: str) -> None:
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label(label).fill(typed)
        dialog.get_by_role("button", name=action, exact=True).click()
        expect(dialog).to_have_count(0)
