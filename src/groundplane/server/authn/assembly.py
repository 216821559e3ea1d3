"""Which authenticators a server has, in which order: the cheap and certain first, as kube-apiserver orders its own."""

from __future__ import annotations

from .bearer import Bearer
from .chain import Chain
from .client_certificate import ClientCertificates
from .contract import TokenAuthenticator


def authenticators(*tokens: TokenAuthenticator) -> Chain:
    """Return the chain: client certificate, then bearer tokens of the given kinds."""
    return Chain(ClientCertificates(), Bearer(*tokens))
