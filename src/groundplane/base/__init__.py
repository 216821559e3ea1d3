"""What every layer may use: errors, clock, tasks, settings, versions, logbook. Imports nothing of ours."""
