#!/usr/bin/env python3
"""Checks the sums of the request log under load while PostgreSQL is stopped, slowed and killed; exits with 1 if they differ.

Usage: request_log_faults.py

Clients send requests with valid, revoked, unknown and missing keys. Meanwhile PostgreSQL is suspended, gets a tenth of its CPU time,
and is killed and started again. At the end the instance is shut down, and these numbers must be equal: the responses that the clients
got, keyward_gateway_requests_total, the weights of the log's lines, and the requests of the minutes. The requests of the hours must be
those with a key that exists.
Environment: SECONDS_TOTAL (600), RATE (requests a second, 1000), CLIENTS (8), SAMPLE (1).
"""
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

import keyward_bench as bench

SECONDS = float(os.environ.get("SECONDS_TOTAL", "600"))
RATE = float(os.environ.get("RATE", "1000"))
CLIENTS = int(os.environ.get("CLIENTS", "8"))
SAMPLE = os.environ.get("SAMPLE", "1")
# The faults: begin and end as parts of the run.
FAULTS = [("suspended", 0.15, 0.30), ("slowed", 0.45, 0.60), ("killed", 0.75, 0.80)]


class Client(threading.Thread):
    """Sends requests at its part of the rate, and keeps their latencies by phase of the run."""

    def __init__(self, address, tokens, phase):
        super().__init__()
        self.address, self.tokens, self.phase = address, tokens, phase
        self.responses, self.with_key, self.latencies = 0, 0, {}

    def run(self):
        connection = http.client.HTTPConnection(*self.address)
        random_numbers = random.Random(id(self))
        begin = time.monotonic()
        for number in range(int(SECONDS * RATE / CLIENTS)):
            wait = begin + number * CLIENTS / RATE - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            kind, token = random_numbers.choice(self.tokens)
            sent = time.monotonic()
            connection.request("GET", "/v1/%s/%d" % (kind, number), headers={"X-API-Key": token} if token else {})
            response = connection.getresponse()
            response.read()
            expected = {"valid": 200, "revoked": 401, "unknown": (401, 503), "missing": 401}[kind]
            if response.status not in (expected if isinstance(expected, tuple) else (expected,)):
                raise SystemExit("%s key: %d" % (kind, response.status))
            self.latencies.setdefault(self.phase(), []).append(time.monotonic() - sent)
            self.responses += 1
            self.with_key += kind in ("valid", "revoked")


class Phases:
    """Causes the faults."""

    def __init__(self, postgres):
        self.postgres, self.begin, self.current = postgres, time.monotonic(), "before"

    def run(self):
        for name, begin, end in FAULTS:
            self.sleep_until(begin)
            self.current = name
            getattr(self, name)(end)
            self.current = "after " + name
        self.sleep_until(1)

    def sleep_until(self, part):
        time.sleep(max(0, self.begin + part * SECONDS - time.monotonic()))

    def signal(self, number):
        for pid in bench.tree(self.postgres.process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def suspended(self, end):
        self.signal(signal.SIGSTOP)
        self.sleep_until(end)
        self.signal(signal.SIGCONT)

    def slowed(self, end):
        while time.monotonic() < self.begin + end * SECONDS:
            self.signal(signal.SIGSTOP)
            time.sleep(0.09)
            self.signal(signal.SIGCONT)
            time.sleep(0.01)

    def killed(self, end):
        self.signal(signal.SIGKILL)
        self.postgres.process.wait()
        self.sleep_until(end)
        self.postgres.start()


def metric(text, name):
    """Returns the sum of the series of a metric."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + "{", name + " ")))


def main():
    postgres = bench.Postgres({"max_connections": 40})
    instance = bench.Instance(postgres.database, environment={"KEYWARD_REQUEST_LOG_SAMPLE": SAMPLE})
    tokens = []
    for number in range(20):
        key = instance.admin("POST", body={"name": "key %d" % number, "owner": "o%d" % (number % 4)})
        tokens.append(("valid", key["value"]))
    for number in range(3):
        key = instance.admin("POST", body={"name": "revoked"})
        instance.admin("POST", "/%s/deactivate" % key["id"])
        tokens.append(("revoked", key["value"]))
    tokens += [("missing", None), ("unknown", "junk")]

    phases = Phases(postgres)
    clients = [Client(instance.gateway, tokens, lambda: phases.current) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    phases.run()
    for client in clients:
        client.join()
    connection = http.client.HTTPConnection(*instance.control)
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read().decode()
    begin = time.monotonic()
    instance.stop()
    stopped = time.monotonic() - begin

    def number(query):
        program = [bench.postgres_program("psql"), "-qXAt", "-d", postgres.database, "-c", query]
        return int(subprocess.run(program, check=True, capture_output=True, text=True).stdout or 0)

    responses = sum(client.responses for client in clients)
    sums = {
        "responses": responses,
        "keyward_gateway_requests_total": int(metric(metrics, "keyward_gateway_requests_total")),
        "weights of lines": number("SELECT coalesce(sum(weight), 0) FROM request_log WHERE surface = 1"),
        "minutes": number("SELECT coalesce(sum(requests), 0) FROM request_minutes WHERE surface = 1"),
    }
    hours = {
        "responses to keys that exist": sum(client.with_key for client in clients),
        "hours": number("SELECT coalesce(sum(allowed + denied + limited + failed + terminated), 0) FROM request_hours"),
    }
    lines = number("SELECT count(*) FROM request_log")
    ids = number("SELECT count(DISTINCT id) FROM request_log WHERE code IS DISTINCT FROM 'log_gap'")
    gaps = number("SELECT coalesce(sum(weight), 0) FROM request_log WHERE code = 'log_gap'")
    print("%d lines, %d ids, %d requests in gaps, shutdown in %.1f s" % (lines, ids, gaps, stopped))
    latencies = {}
    for client in clients:
        for phase, values in client.latencies.items():
            latencies.setdefault(phase, []).extend(values)
    for phase, values in latencies.items():
        cuts = statistics.quantiles(values, n=100)
        print("%-16s %7d requests, p50 %.2f ms, p99 %.2f ms" % (phase, len(values), cuts[49] * 1e3, cuts[98] * 1e3))
    for group in (sums, hours):
        print(json.dumps(group))
        if len(set(group.values())) > 1:
            raise SystemExit("the sums differ")
    if ids != lines - number("SELECT count(*) FROM request_log WHERE code = 'log_gap'"):
        raise SystemExit("a line was written twice")


if __name__ == "__main__":
    sys.exit(main())
