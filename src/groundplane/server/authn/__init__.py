"""Who is calling: an ordered list of authenticators behind one Protocol, each in a module of its own."""
