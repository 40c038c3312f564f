"""A whole installation in one folder: what `make run`, the demo, the tests and the benchmarks share."""
