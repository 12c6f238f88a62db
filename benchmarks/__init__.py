"""What `make bench` measures, each beside its peers in the same run: `python -m benchmarks`."""
