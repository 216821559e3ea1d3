"""What was done, by whom: an audit log in the format of Kubernetes (audit.k8s.io/v1), by a policy in its format."""
