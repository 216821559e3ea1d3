"""kubeadm: which configuration format a version takes, and the documents themselves. Pure."""

from .config import Join, Token, clean_ignores, init_documents, join_documents, render
from .pin import ca_hash
from .versions import cri_socket, format_of, minor_of

__all__ = [
    "Join",
    "Token",
    "ca_hash",
    "clean_ignores",
    "cri_socket",
    "format_of",
    "init_documents",
    "join_documents",
    "minor_of",
    "render",
]
