"""Password users and bearer tokens as resources of the API: what `groundplane user|token` do in files."""
