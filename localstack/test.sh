#!/usr/bin/env bash
# Runs the behaviour suite against LocalStack, which it starts and stops: localstack/test.sh [ARGUMENT OF cargo test...]
# For one test, say: localstack/test.sh -- --exact insert_applies
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec localstack/run.sh cargo test --all-features --test suite "$@"
