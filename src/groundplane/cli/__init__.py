"""The command line: flags, options, one client call. `embedded` assembles the process."""
