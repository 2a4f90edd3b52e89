#!/usr/bin/env python3
"""Measures what the request log costs the gateway: CPU of the process and latency, with the log and without, alternating.

Usage: request_log_cost.py

Two instances on one PostgreSQL serve the same load in turn, each with the echo upstream in its process. Prints the medians of both, and the
median of the ratios of consecutive rounds with its range. CPU is that of the process of Keyward in microseconds a request, with the
writer of the log and without PostgreSQL. The load is closed: with few cores, PostgreSQL competes with the gateway.
Environment: ROUNDS (9), DUR (seconds per measurement, 3), CONNECTIONS (64,1000), UPSTREAM=python for an upstream of its own.
"""
import json
import os
import statistics
import subprocess

import keyward_bench as bench

ROUNDS = int(os.environ.get("ROUNDS", "9"))
SECONDS = os.environ.get("DUR", "3")
REPORT = """
done = function(summary, latency)
    print(string.format('RESULT {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}', summary.requests, summary.duration,
        summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout, latency:percentile(50),
        latency:percentile(99)))
end
"""


def own_cpu(pid):
    """The CPU seconds of one process, without its children."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(instance, token, connections, script):
    before = own_cpu(instance.process.pid)
    output = subprocess.run(
        ["wrk", "-t1", "-c%d" % connections, "-d" + SECONDS, "-s", script, "-H", "Authorization: Bearer " + token, "--latency",
         "http://%s:%d/v1/reports/7" % instance.gateway], capture_output=True, text=True, check=True).stdout
    result = json.loads(next(line for line in output.splitlines() if line.startswith("RESULT "))[7:])
    if result["failed"]:
        raise SystemExit("%d requests failed" % result["failed"])
    result["cpu"] = (own_cpu(instance.process.pid) - before) / result["requests"] * 1e6
    result["rate"] = result["requests"] / result["microseconds"] * 1e6
    return result


def main():
    if bench.missing("wrk"):
        raise SystemExit("wrk is needed: apt-get install wrk")
    script = bench.FOLDER + "/report.lua"
    with open(script, "w") as file:
        file.write(REPORT)
    postgres = bench.Postgres({"max_connections": 60})
    upstream = bench.start_upstream() if os.environ.get("UPSTREAM") == "python" else None
    arguments = ["--upstream", "http://127.0.0.1:%d" % upstream] if upstream else []
    instances = {
        name: bench.Instance(postgres.database, *arguments, environment={"KEYWARD_REQUEST_LOG": name}) for name in ("on", "none")}
    token = instances["on"].admin("POST", body={"name": "key", "owner": "acme/payments"})["value"]
    for connections in map(int, os.environ.get("CONNECTIONS", "64,1000").split(",")):
        rounds = []
        for _ in range(ROUNDS):
            rounds.append({name: load(instance, token, connections, script) for name, instance in instances.items()})
        for figure in ("cpu", "rate", "p50", "p99"):
            ratios = [pair["on"][figure] / pair["none"][figure] for pair in rounds]
            print("%5d connections %-5s with %9.1f without %9.1f ratio %.3f (%.3f to %.3f)" % (
                connections, figure, statistics.median(pair["on"][figure] for pair in rounds),
                statistics.median(pair["none"][figure] for pair in rounds), statistics.median(ratios), min(ratios), max(ratios)))


if __name__ == "__main__":
    main()
