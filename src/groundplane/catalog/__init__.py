"""What is known of Kubernetes, runtimes, kernels, networks and operating systems, as data with source and date.

Who starts a process calls `load_site` first; after that the modules here answer from memory.
"""

from .site import load_site

__all__ = ["load_site"]
