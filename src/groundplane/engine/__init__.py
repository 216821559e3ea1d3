"""What controllers run on: work queue, reconcile loop, conditions, events."""
