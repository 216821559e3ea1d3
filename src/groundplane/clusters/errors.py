"""What a managed cluster's API raises, kept apart from the errors of Groundplane's own API.

    Unavailable  └── ClusterUnavailable   does not answer, or cannot now
                     └── ClusterHungUp    takes the connection and ends it without an answer
    Refused      └── ClusterRefused       does not take this request; `causes` of an invalid object are in the text
    Denied       └── ClusterDenied        does not accept our kubeconfig, or is not the server that it names
                     ├── CredentialsRefused    does not know who we are
                     ├── PluginRefused         the command that should print credentials did not
                     ├── AccessForbidden       knows us, and forbids this
                     └── CertificateUntrusted  cannot prove that it is the server that the kubeconfig names

A controller that handles a Conflict or a Gone of its own API must never meet one of somebody else's here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from groundplane.base.documents import printable
from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.kube.errors import Forbidden, Gone, HungUp, Invalid, PluginFailed, Unauthorized, Untrusted
from groundplane.kube.kubeconfig import KubeconfigInvalid


class ClusterUnavailable(Unavailable):
    """The managed cluster's API cannot answer now."""


class ClusterHungUp(ClusterUnavailable):
    """The managed cluster's API ended the connection without an answer."""


class ClusterRefused(Refused):
    """The managed cluster's API does not take this request."""


class ListExpired(ClusterRefused):
    """The list that was read page by page is no longer kept: read it from its beginning."""


class ClusterDenied(Denied):
    """The managed cluster's API does not let us in, or cannot prove who it is."""


class CredentialsRefused(ClusterDenied):
    """The API does not accept the credentials."""


class PluginRefused(ClusterDenied):
    """The credential plugin of the kubeconfig gave no credentials."""


class AccessForbidden(ClusterDenied):
    """The credentials are good, and do not allow this."""


class CertificateUntrusted(ClusterDenied):
    """The server's certificate is not trusted, or is for another name."""


# In this order: what is more special comes first.
_DENIALS: tuple[tuple[type[Denied], type[ClusterDenied]], ...] = (
    (PluginFailed, PluginRefused),
    (Unauthorized, CredentialsRefused),
    (Forbidden, AccessForbidden),
    (Untrusted, CertificateUntrusted),
)


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Turn the errors of the wire into those of this layer."""
    try:
        yield
    except KubeconfigInvalid:
        # Nobody was asked: it is no answer of the cluster's.
        raise
    except HungUp as exc:
        raise ClusterHungUp(exc.message, remedy=exc.remedy) from exc
    except Unavailable as exc:
        raise ClusterUnavailable(exc.message, remedy=exc.remedy) from exc
    except Denied as exc:
        kind = next((ours for theirs, ours in _DENIALS if isinstance(exc, theirs)), ClusterDenied)
        raise kind(exc.message, remedy=exc.remedy) from exc
    except Gone as exc:
        raise ListExpired(exc.message, remedy=exc.remedy) from exc
    except Invalid as exc:
        causes = "".join(f"; {cause.field}: {cause.message}" for cause in exc.causes)
        raise ClusterRefused(printable(exc.message + causes), remedy=exc.remedy) from exc
    except Refused as exc:
        raise ClusterRefused(exc.message, remedy=exc.remedy) from exc
