#!/usr/bin/env python3
"""Measures the cost in PostgreSQL of the heartbeats of many instances, with the statement of InstanceSQL.swift on a session for each.

Usage: heartbeats.py [INSTANCES] [SECONDS] [SPEED]   (100 instances for 600 s; with speed 5 each sends one a second)
"""
import os
import re
import subprocess
import sys
import time

import keyward_bench as bench

instances = int(sys.argv[1]) if len(sys.argv) > 1 else 100
seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 600
speed = float(sys.argv[3]) if len(sys.argv) > 3 else 1
rate = instances / 5 * speed

source = open(bench.ROOT + "/Sources/AuthKeysPostgres/Instances/InstanceSQL.swift").read()
statement = re.search(r'static let record = """\n(.*?)\n *"""', source, re.DOTALL).group(1)
statement = re.sub(
    r'\\\(isLive\("o.seen"\)\)',
    "o.seen BETWEEN statement_timestamp() - interval '10 seconds' AND statement_timestamp() + interval '10 seconds'", statement)
if "\\(" in statement:
    raise SystemExit("the statement has another form: " + statement)


def figures(size):
    """Returns figures of about this size: the number of keys, and a list of busy keys."""
    return '{"keys": 1042, "busy": [%s]}' % ", ".join('"019ab2c7-0000-7000-8000-%012d"' % n for n in range(size // 41))


def script(size):
    """Returns the path of a pgbench script for one heartbeat."""
    values = {
        "$1": "('00000000-0000-7000-8000-' || lpad((:client_id)::text, 12, '0'))::uuid", "$2": "'gw-' || (:client_id)::text",
        "$3": "'0.1.0'", "$4": "'serve'", "$5": "600.0", "$6": "0.412", "$7": "pg_snapshot_xmin(pg_current_snapshot())",
        "$8": "'%s'" % figures(size),
    }
    path = bench.FOLDER + "/heartbeat.sql"
    with open(path, "w") as file:
        file.write(re.sub(r"\$\d", lambda match: values[match.group()], statement).replace("\n", " ") + ";\n")
    return path


def value(query):
    command = [bench.postgres_program("psql"), "-qXAt", "-d", server.database, "-c", query]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def cpu():
    """Returns the CPU seconds of the server and its processes, including finished ones."""
    with open(bench.FOLDER + "/postgres/postmaster.pid") as file:
        postmaster = file.readline().strip()
    total = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % process) as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if process == postmaster:
            total += sum(int(fields[i]) for i in (11, 12, 13, 14))
        elif fields[1] == postmaster:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def wal():
    return int(value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def measured(*arguments):
    """Returns CPU and WAL bytes per second, and heartbeats a second, of a run of pgbench."""
    command = [bench.postgres_program("pgbench"), "-n", "-M", "prepared", "-c", str(instances), "-T", str(seconds), *arguments]
    before, logged, start = cpu(), wal(), time.monotonic()
    result = subprocess.run(command + [server.database], check=True, capture_output=True, text=True)
    elapsed = time.monotonic() - start
    done = int(re.search(r"actually processed: (\d+)", result.stdout).group(1))
    latency = float(re.search(r"latency average = ([\d.]+)", result.stdout).group(1))
    return (cpu() - before) / elapsed, (wal() - logged) / elapsed, done / elapsed, latency


server = bench.Postgres({"max_connections": str(instances + 20), "autovacuum_naptime": "%ds" % max(1, 60 / speed)})
with open(bench.FOLDER + "/nothing.sql", "w") as file:
    file.write("SELECT 1;\n")
idle = measured("-f", bench.FOLDER + "/nothing.sql", "-R", "1")
for size in (0, 1500):
    bench.sql(server.database, "SET client_min_messages = warning; DROP TABLE IF EXISTS instances")
    value("SELECT pg_stat_reset()")
    subprocess.run(
        [bench.postgres_program("psql"), "-qX", "-d", server.database, "-f", bench.ROOT + "/migrations/0003_instances.sql"], check=True)
    cost, log, done, latency = measured("-f", script(size), "-R", str(rate))
    time.sleep(2)
    updates, hot, dead, vacuums, pages = value(
        "SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count, pg_relation_size(relid) / 8192 "
        "FROM pg_stat_user_tables WHERE relname = 'instances'").split("|")
    cost, log = cost - idle[0], log - idle[1]
    print(
        "%d instances with figures of %d bytes: %.1f statements a second; %.0f us of CPU and %.0f bytes of WAL each, which at one in "
        "5 s are %.2f %% of a core and %.0f bytes a second; %s of %s updates HOT, %s dead rows at the end, %s autovacuums, %s pages" % (
            instances, len(figures(size)), done, cost / done * 1e6, log / done, cost / speed * 100, log / speed, hot, updates, dead,
            vacuums, pages))
