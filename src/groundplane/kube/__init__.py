"""The Kubernetes wire: kubeconfig, HTTP transport, errors. Shared by `client` and `clusters`."""
