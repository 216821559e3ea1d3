"""The one narrow door to a managed cluster's Kubernetes API."""
