"""One file for each step; steps do not know each other. Their keys are put in order by `actions`."""
