#!/bin/sh
# Pins every dependency with its hashes, for every platform and Python that acuse supports. Run it by `make lock`.
set -eu
cd "$(dirname "$0")/.."
compile() {
  out=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-strip-extras --no-header pyproject.toml --output-file "requirements/$out.txt" "$@"
}
compile dev --extra aws --extra examples --extra otel --extra parquet --group dev
compile run --group build --constraint requirements/dev.txt
compile examples --extra examples --group build --constraint requirements/dev.txt
compile infra --extra aws --group infra --constraint requirements/dev.txt
compile lambda --extra aws --constraint requirements/dev.txt
compile mutation --extra aws --extra examples --extra otel --extra parquet --group mutation --constraint requirements/dev.txt
compile peers --group peers --constraint requirements/dev.txt
