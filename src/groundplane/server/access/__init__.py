"""Who may do what: Kubernetes RBAC over the roles and bindings in the store. Nothing is allowed by default."""
