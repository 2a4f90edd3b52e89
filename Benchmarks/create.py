#!/usr/bin/env python3
"""Compares creations per second over HTTP with pgbench running the same insert: medians of three interleaved rounds.

Both use 64 connections. pgbench inserts one key per transaction, into the same tables of the same server.
"""
import os
import re
import statistics
import subprocess

import keyward_bench as bench

SECONDS = os.environ.get("DUR", "8")
ROUNDS = int(os.environ.get("ROUNDS", "3"))

WRK = """
wrk.method = "POST"
wrk.body = '{"name":"benchmark key"}'
wrk.headers["Authorization"] = "Bearer %s"
""" % bench.ADMIN_KEY

PGBENCH = """
WITH input AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, clock_timestamp() AS at
), keys AS (
    INSERT INTO auth_keys (id, name, description, created_at, updated_at)
    SELECT id, 'benchmark key', '', at, at FROM input
    RETURNING id, created_at
), secrets AS (
    INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
    SELECT sha256(uuid_send(id)), id, 'kw', '0000', at FROM input
)
SELECT id, created_at FROM keys;
"""

instance = bench.Instance()
database = bench.private_database()
for name, text in (("create.lua", WRK), ("create.sql", PGBENCH)):
    with open(os.path.join(bench.FOLDER, name), "w") as file:
        file.write(text)
pgbench = bench.postgres_program("pgbench")


def by_http():
    out = subprocess.run(
        ["wrk", "-t1", "-c64", "-d%ss" % SECONDS, "--latency", "-s", bench.FOLDER + "/create.lua",
         "http://%s:%d/admin/api/v1/auth-keys" % instance.control], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise SystemExit(out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def by_pgbench():
    out = subprocess.run(
        [pgbench, "-n", "-M", "prepared", "-c", "64", "-j", "2", "-T", SECONDS, "-f", bench.FOLDER + "/create.sql", database],
        capture_output=True, text=True, check=True).stdout
    return float(re.search(r"tps = ([\d.]+)", out).group(1))


http, direct = [], []
for _ in range(ROUNDS):
    http.append(by_http())
    direct.append(by_pgbench())
print("creations per second on 64 connections: over HTTP %.0f, pgbench %.0f, ratio %.2f" % (
    statistics.median(http), statistics.median(direct), statistics.median(http) / statistics.median(direct)))
