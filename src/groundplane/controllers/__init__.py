"""One folder per kind, independent of one another: the only ones who see both the API and the world."""
