"""What a lab looks like to Groundplane: the Secret with its key, its Machines."""

from __future__ import annotations

import base64
import json

from groundplane_lab.model import Lab


def secret_manifest(lab: Lab, name: str, namespace: str = "default") -> str:
    """Return the SSH Secret called `name` that logs in to the lab's machines, as JSON, which is YAML too."""
    key = base64.b64encode(lab.private_key.read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "groundplane.dev/ssh",
            "metadata": {"name": name, "namespace": namespace},
            "data": {"ssh-privatekey": key},
        }
    )
