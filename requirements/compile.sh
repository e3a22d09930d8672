#!/usr/bin/env bash
# Make the hash-pinned locks anew from pyproject.toml (names, versions and hashes; no index host). Needs `uv` on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { UV_PYTHON_DOWNLOADS=never uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"; }
compile pyproject.toml --group build --output-file requirements/run.txt
compile pyproject.toml --group build --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
compile --group node --output-file requirements/node.txt
