"""The built-in API server: verbs over the store, HTTP at the edge, a client in process."""
