"""One module per cloud, behind an optional extra. Empty until a cloud is supported."""
