"""Names that more than one controller has to agree on."""

from __future__ import annotations


def kubeconfig_secret(cluster: str) -> str:
    """Return the name of the Secret that holds a Cluster's administrator kubeconfig (key `kubeconfig`)."""
    return f"{cluster}-kubeconfig"
