"""`groundplane explain`: one cluster, machine or feature on one screen: what it is, what that costs, what to type."""
