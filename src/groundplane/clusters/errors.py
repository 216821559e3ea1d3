"""What a managed cluster's API raises, kept apart from the errors of Groundplane's own API.

    Unavailable  └── ClusterUnavailable   does not answer, or cannot now
    Refused      └── ClusterRefused       does not take this request; `causes` of an invalid object are in the text
    Denied       └── ClusterDenied        does not accept our kubeconfig, or is not the server that it names

A controller that handles a Conflict or a Gone of its own API must never meet one of somebody else's here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.kube.errors import Invalid


class ClusterUnavailable(Unavailable):
    """The managed cluster's API cannot answer now."""


class ClusterRefused(Refused):
    """The managed cluster's API does not take this request."""


class ClusterDenied(Denied):
    """The managed cluster's API does not let us in, or cannot prove who it is."""


@contextmanager
def cluster_errors() -> Iterator[None]:
    """Turn the errors of the wire into those of this layer."""
    try:
        yield
    except Unavailable as exc:
        raise ClusterUnavailable(exc.message, remedy=exc.remedy) from exc
    except Denied as exc:
        raise ClusterDenied(exc.message, remedy=exc.remedy) from exc
    except Invalid as exc:
        causes = "".join(f"; {cause.field}: {cause.message}" for cause in exc.causes)
        raise ClusterRefused(exc.message + causes, remedy=exc.remedy) from exc
    except Refused as exc:
        raise ClusterRefused(exc.message, remedy=exc.remedy) from exc
