#!/usr/bin/env python3
"""Measures the milliseconds from the response to a revocation on one instance to the first refusal on another: p50, p99, maximum.

Usage: revocation.py [ROUNDS]   (1000 by default)
"""
import http.client
import sys
import time

import keyward_bench as bench

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
first = bench.Instance()
second = bench.Instance(bench.private_database())
admin = http.client.HTTPConnection(*first.control)
here = http.client.HTTPConnection(*first.gateway)
there = http.client.HTTPConnection(*second.gateway)


def status(connection, key):
    connection.request("GET", "/", headers={"Authorization": "Bearer " + key})
    response = connection.getresponse()
    response.read()
    return response.status


times = []
for number in range(rounds):
    key = first.admin("POST", body={"name": "key %d" % number}, connection=admin)
    for connection in (here, there):
        if status(connection, key["value"]) != 200:
            raise SystemExit("a key created on one instance was refused by another")
    first.admin("POST", "/%s/deactivate" % key["id"], connection=admin)
    done = time.perf_counter()
    if status(here, key["value"]) != 401:
        raise SystemExit("a revoked key was accepted by the instance that revoked it")
    while status(there, key["value"]) == 200:
        pass
    times.append((time.perf_counter() - done) * 1000)
times.sort()
print("revocation to refusal on a second instance, %d rounds: p50 %.2f ms, p99 %.2f ms, maximum %.2f ms" % (
    rounds, times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]))
