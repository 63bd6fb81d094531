#!/usr/bin/env bash
# Runs a test program, for cargo. Most run as many tests at one time as there are cores. These wait longer than
# they work, above all for Kafka's groups to miss a member.
set -euo pipefail
case "$(basename "$1")" in
    events-*) export RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}" ;;
    # Idle for two thirds of their time, two at a time.
    e2e-*) export RUST_TEST_THREADS="${RUST_TEST_THREADS:-3}" ;;
    # The fault runs; the tortures go one after the other by themselves.
    short-*) export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" ;;
esac
exec "$@"
