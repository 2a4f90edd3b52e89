#!/usr/bin/env python3
"""Measures the cost in PostgreSQL of comparing memory and table, and the time until a difference outside the feed is repaired.

Usage: reconciliation.py [KEYS] [SECONDS]   (1,000,000 keys, one pass within 60 s, which is ten times the default rate)
"""
import http.client
import os
import sys
import time

import keyward_bench as bench

keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
period = int(sys.argv[2]) if len(sys.argv) > 2 else 60

server = bench.Postgres({"fsync": "off", "shared_buffers": "512MB", "max_wal_size": "8GB"})


def cpu():
    """Returns the CPU seconds of all processes of the server, including finished ones."""
    total = 0
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                with open("/proc/%s/cmdline" % process) as file:
                    if "postgres" not in file.read():
                        continue
                with open("/proc/%s/stat" % process) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                total += sum(int(fields[i]) for i in (11, 12, 13, 14))
            except OSError:
                pass
    return total / os.sysconf("SC_CLK_TCK")


def metric(instance, name):
    connection = http.client.HTTPConnection(*instance.control)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().split("\n"):
        if line.startswith(name + " "):
            return float(line.split()[1])
    return 0


first = bench.Instance(server.database, "--reconcile-interval", "24h")
bench.sql(
    server.database, "SET session_replication_role = replica",
    "INSERT INTO auth_keys (id, name, owner, scopes) SELECT gen_random_uuid(), 'key ' || n, 'owner' || n %% 1000, "
    "'{read,write}' FROM generate_series(1, %d) n" % keys)
bench.sql(
    server.database, "SET session_replication_role = replica; INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four) "
    "SELECT sha256(uuid_send(id)), id, 'kw', 'abcd' FROM auth_keys")
bench.sql(server.database, "VACUUM ANALYZE auth_keys", "VACUUM ANALYZE auth_key_secrets")
first.stop()


def measured(interval):
    """Returns the server's CPU seconds per second with one idle instance, and the instance."""
    instance = bench.Instance(server.database, "--reconcile-interval", interval)
    time.sleep(5)
    start, before = time.monotonic(), cpu()
    time.sleep(period)
    return (cpu() - before) / (time.monotonic() - start), instance


idle, instance = measured("24h")
instance.stop()
busy, instance = measured("%ds" % period)
seconds = (busy - idle) * period
print("%d keys: a pass costs PostgreSQL %.2f s of CPU, %.2f us per key; %.2f %% of a core for a pass in 10 minutes" % (
    keys, seconds, seconds / keys * 1e6, seconds / 6))
before = metric(instance, "keyward_reconciliation_differences_total")
bench.sql(server.database, "SET session_replication_role = replica; UPDATE auth_keys SET enabled = false WHERE name IN ("
          + ",".join("'key %d'" % (n * keys // 50 + 1) for n in range(50)) + ")")
start, times = time.monotonic(), []
while len(times) < 50 and time.monotonic() < start + 3 * period:
    found = int(metric(instance, "keyward_reconciliation_differences_total") - before)
    times += [time.monotonic() - start] * (found - len(times))
    time.sleep(0.05)
print("50 keys changed with triggers off: %d repaired, half within %.1f s, all within %.1f s, with a period of %d s" % (
    len(times), times[len(times) // 2] if times else -1, times[-1] if times else -1, period))
