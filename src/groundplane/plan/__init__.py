"""Planning rules, preflight, fingerprints: pure functions from wanted and observed to a Plan."""
