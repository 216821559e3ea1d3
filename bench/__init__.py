"""Benchmarks against a peer in the same run. `python -m bench [NAME]`; results in bench/results/NAME.json."""
