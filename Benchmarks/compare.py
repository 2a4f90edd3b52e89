#!/usr/bin/env python3
"""Compares this build with an earlier one, in one run: medians of interleaved rounds, and their ratios.

Usage: OLD=<an earlier binary> compare.py [gateway|forward-auth|verify ...]   (all of them by default)

Each build has a database of its own, so their schemas may differ. Requires nginx, wrk and openssl.
Environment: KEYWARD (this build), ROUNDS (9), DUR (seconds per measurement, 3).
"""
import json
import os
import statistics
import sys

os.environ.setdefault("ROUNDS", "9")
os.environ.setdefault("DUR", "3")

import gateway as load
import keyward_bench as bench
import verification


class Build:
    """One of the two builds, with an instance and a key."""

    def __init__(self, name, binary, postgres, upstream):
        bench.sql(postgres.database, "CREATE DATABASE " + name)
        bench.KEYWARD = binary
        self.name = name
        self.instance = bench.Instance(
            postgres.database.replace("dbname=postgres", "dbname=" + name), "--threads", "2", "--upstream",
            "http://127.0.0.1:%d" % upstream)
        self.key = self.instance.admin("POST", body={"name": "benchmark"})["value"]

    def gateway(self):
        return verification.Surface(self.name, self.instance.process, self.instance.gateway[1], "/", self.key)

    def forward_auth(self):
        fields = "".join("wrk.headers['%s'] = '%s'\n" % field for field in (
            ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/v1/documents/7"), ("X-Forwarded-For", "192.0.2.7")))
        return verification.Surface(
            self.name, self.instance.process, self.instance.control[1], "/v1/forward-auth", self.key, fields)

    def verify(self):
        question = json.dumps({"key": self.key, "method": "GET", "path": "/v1/documents/7", "ip": "192.0.2.7"})
        return verification.Surface(
            self.name, self.instance.process, self.instance.control[1], "/v1/verify", bench.ADMIN_KEY,
            verification.post(question, "application/json"))


WORK = {"gateway": Build.gateway, "forward-auth": Build.forward_auth, "verify": Build.verify}


def compare(name, builds):
    surfaces = [WORK[name](build) for build in builds]
    samples = load.interleave(surfaces, lambda surface: load.sized(surface, surface.path, 64, surface.script))
    load.requests_table("%s, 64 persistent connections" % name, samples)
    old, new = (
        [(r["requests"] / r["microseconds"], r["cpu"] / max(r["requests"], 1)) for r in samples[build.name]]
        for build in builds)
    # Neighbouring measurements share the state of the machine.
    rates, costs = zip(*((b[0] / a[0], b[1] / a[1]) for a, b in zip(old, new)))
    print("new / old                %.3f of the requests, %.3f of the CPU time of a request"
          % (statistics.median(rates), statistics.median(costs)), flush=True)


def main():
    old = os.environ.get("OLD") or sys.exit("set OLD to an earlier binary")
    absent = bench.missing("nginx", "wrk", "openssl")
    if absent:
        sys.exit("missing: " + ", ".join(absent))
    new = bench.KEYWARD
    testbed = load.Testbed(peers=False)
    postgres = bench.Postgres({"fsync": "off"})
    builds = [Build(name, binary, postgres, testbed.values["UPSTREAM"]) for name, binary in (("old", old), ("new", new))]
    for name in sys.argv[1:] or WORK:
        compare(name, builds)


main()
