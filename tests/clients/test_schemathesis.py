"""schemathesis on the served OpenAPI v3 documents: no internal error, and answers are what the documents say.

A run is the same every time: deterministic generation and a fixed seed. The normal run takes two resources with four
examples for each operation; GROUNDPLANE_SCHEMATHESIS=N takes all resources with N examples and the systematic cases
(every parameter missing, wrong, at its bounds) besides. Watches stream without end and
are left out: `watch` is taken out of the parameters.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = os.environ.get("GROUNDPLANE_SCHEMATHESIS", "")
# One of each sort: built-in and sealed, ours with a status, what is not in the store.
FEW = {
    "api/v1": ("secrets",),
    "apis/groundplane.dev/v1alpha1": ("foundations",),
    "apis/access.groundplane.dev/v1alpha1": ("users", "tokens", "auditevents"),
    "apis/catalog.groundplane.dev/v1alpha1": ("catalogtables",),
    "apis/server.groundplane.dev/v1alpha1": ("serversettings", "serverchecks"),
}
ABOUT = ("apis/catalog.groundplane.dev/v1alpha1", "apis/server.groundplane.dev/v1alpha1")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# A quiet failure of the run itself, such as no operation at all, is no success.
TESTED = "No issues found"


def served(kubeconfig: Path, path: str) -> tuple[dict[str, Any], str, str]:
    """Return a document, the server's URL and the administrator's token."""
    config = json.loads(kubeconfig.read_text())
    url, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    context = ssl.create_default_context(cafile=str(kubeconfig.parent / "home" / "ca.crt"))
    asked = urllib.request.Request(f"{url}/openapi/v3/{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, context=context) as answer:
        return json.load(answer), url, token


def bounded(document: dict[str, Any], plurals: tuple[str, ...]) -> dict[str, Any]:
    """Leave out watches, and without GROUNDPLANE_SCHEMATHESIS all but a few resources; write into one namespace."""
    paths = document["paths"]
    if not EXAMPLES:
        paths = {path: item for path, item in paths.items() if set(plurals) & set(path.split("/")[3:])}
    for path, item in paths.items():
        if "/tokens/" in path:
            # It uses the names that it was answered: it would take its own token away.
            item.pop("delete", None)
        for parameter in item.get("parameters", ()):
            if parameter["name"] == "namespace":
                parameter["schema"]["enum"] = ["default"]
        for operation in (value for method, value in item.items() if method != "parameters"):
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "watch"]
    return {**document, "paths": paths}


def test_every_operation_has_an_id_of_its_own(kubeconfig: Path) -> None:
    for path, resources in FEW.items():
        document, _, _ = served(kubeconfig, path)
        items = [item for item in document["paths"].values()]
        found = [one["operationId"] for item in items for method, one in item.items() if method != "parameters"]
        # What the server tells of itself is listed and read, and nothing else.
        least = 2 * len(resources) - 1 if path in ABOUT else 5
        assert len(found) == len(set(found)) > least


@pytest.mark.parametrize("path", FEW)
def test_no_request_ends_in_an_internal_error_or_an_answer_that_is_not_documented(
    kubeconfig: Path, path: str, tmp_path: Path
) -> None:
    document, url, token = served(kubeconfig, path)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(bounded(document, FEW[path])))
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(file), "--url", url]
    command += ["--tls-verify", str(kubeconfig.parent / "home" / "ca.crt"), "--checks", CHECKS]
    phases = "coverage,fuzzing" if EXAMPLES else "fuzzing"
    command += ["--phases", phases, "--max-examples", EXAMPLES or "4", "--no-color"]
    command += ["--generation-deterministic", "--seed", "1", "--warnings", "off", "--continue-on-failure"]
    command += ["--request-timeout", "20", "--header", f"Authorization: Bearer {token}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert token not in done.stdout
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-6000:]
    assert TESTED in done.stdout, done.stdout[-2000:]
