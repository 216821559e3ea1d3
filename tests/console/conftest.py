"""A real browser before a real API server: Chromium, and the server as a process of its own with objects of a fleet.

No controller runs, so what is shown stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from support.browser import NETWORK_CHANGED, chromium, go
from support.running import running_server

CONSOLE = Path(__file__).parents[2] / "console"
OURS = "/apis/groundplane.dev/v1alpha1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# A browser calls every refusal an error: there is no session yet, what is typed is not right yet, and Kubernetes v1.20
# describes its kinds in the older of two ways. Chromium gives up requests when another test makes a network.
EXPECTED = (
    "the server responded with a status of 401",
    "the server responded with a status of 422",
    "/openapi/v3'",
    NETWORK_CHANGED,
)


@dataclass
class Site:
    """A running server. `http` calls it as an administrator."""

    url: str
    http: httpx2.Client
    admin: str
    nobody: str

    def make(self, plural: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Create an object of ours, with its status."""
        status = obj.pop("status", None)
        done = self.http.post(f"{OURS}/{plural}", json={"apiVersion": "groundplane.dev/v1alpha1", **obj})
        assert done.status_code == 201, done.text
        made: dict[str, Any] = done.json()
        if status is None:
            return made
        path = f"{OURS}/{plural}/{made['metadata']['name']}/status"
        done = self.http.put(path, json={**made, "status": status})
        assert done.status_code == 200, done.text
        written: dict[str, Any] = done.json()
        return written

    def path(self, plural: str, name: str) -> str:
        return f"{OURS}/{plural}/{name}"

    def grant(self, role: str, *, user: str = "", group: str = "", namespace: str = "", name: str = "granted") -> None:
        """Bind a ClusterRole to a user or a group, in one namespace or in all."""
        where, kind = (f"/namespaces/{namespace}", "RoleBinding") if namespace else ("", "ClusterRoleBinding")
        of = {"kind": "User", "name": user} if user else {"kind": "Group", "name": group}
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", **of}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        }
        done = self.http.post(f"{RBAC}{where}/{kind.lower()}s", json=body)
        assert done.status_code == 201, done.text


@dataclass
class Visit:
    """A browser's page before a server, and what its console said."""

    page: Page
    site: Site
    context: BrowserContext
    said: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> None:
        go(self.page, f"{self.site.url}/console{path}")

    def sign_in(self, token: str = "", path: str = "/") -> None:
        """Sign in by token, as somebody does who has just started Groundplane."""
        self.open(path)
        self.give_token(token)

    def give_token(self, token: str = "") -> None:
        """Sign in on the page that is there."""
        ways = self.page.locator(".ways button")
        ways.nth(1).click()
        self.page.locator("input[name=token]").fill(token or self.site.admin)
        self.page.locator("form button[type=submit]").click()
        self.page.locator("nav.menu").wait_for(state="attached")

    def rewrite(self, content: str) -> None:
        """Replace what stands in the editor, by pasting."""
        self.page.locator(".cm-content").focus()
        self.page.keyboard.press("Control+A")
        self.page.locator(".cm-content").evaluate(
            """(editor, text) => {
                const clipboardData = new DataTransfer();
                clipboardData.setData('text/plain', text);
                editor.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}));
            }""",
            content,
        )

    def said_badly(self) -> list[str]:
        """What the console said, but for refusals that belong to it."""
        return [line for line in self.said if not any(text in line for text in EXPECTED)]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("console")) as found:
        yield found


class served:  # noqa: N801 - a context manager
    """A server with what it keeps in `folder`."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self._running = running_server(folder, port=port, may_say=frozenset({"login refused"}))

    def __enter__(self) -> Site:
        document = yaml.safe_load(self._running.__enter__().read_text())
        url = document["clusters"][0]["cluster"]["server"]
        admin, nobody = (user["user"]["token"] for user in document["users"])
        self._http = httpx2.Client(base_url=url, verify=False, headers={"authorization": f"Bearer {admin}"})
        return Site(url, self._http, admin, nobody)

    def __exit__(self, *error: Any) -> None:
        self._http.close()
        self._running.__exit__(*error)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole run: while Playwright is there, its event loop is the thread's, and no other test could run one.
    with chromium() as opened:
        yield opened


Visitor = Callable[..., Visit]


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Give a browser of its own before a server; the options are those of a context, such as `locale`."""
    contexts: list[BrowserContext] = []

    def visit(site: Site, **options: Any) -> Visit:
        wanted = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        context = browser.new_context(ignore_https_errors=True, **wanted)
        context.set_default_timeout(10_000)
        contexts.append(context)
        made = Visit(context.new_page(), site, context)
        made.page.on("console", lambda message: _hear(made, message))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        return made

    yield visit
    for context in contexts:
        context.close()


def _hear(visit: Visit, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        visit.said.append(f"{message.text} at {message.location}")


@pytest.fixture
def visit(visitor: Visitor, site: Site) -> Visit:
    return visitor(site)
