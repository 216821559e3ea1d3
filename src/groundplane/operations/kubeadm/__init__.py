"""kubeadm: which configuration format a version takes, and the documents themselves. Pure."""

from .config import Join, Token, clean_ignores, discovery_document, init_documents, join_documents, render
from .versions import cri_socket, format_of, minor_of

__all__ = [
    "Join",
    "Token",
    "clean_ignores",
    "cri_socket",
    "discovery_document",
    "format_of",
    "init_documents",
    "join_documents",
    "minor_of",
    "render",
]
