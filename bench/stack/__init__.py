"""A load test to run against a deployed stack: `python -m bench.stack --help`, and docs/how-to/load-test.md."""
