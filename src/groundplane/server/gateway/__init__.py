"""The gateway: the API of each managed cluster below `/clusters/NAMESPACE/NAME/proxy/`.

Whoever may use the subresource `clusters/proxy` is let through, recorded like any other request. What they may do there
is decided by that cluster: see `identity` for whom it is told that asks.
"""
