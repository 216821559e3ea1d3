"""What the server tells of itself, read only: what it knows (the catalog), how it is set, and how its parts are."""
