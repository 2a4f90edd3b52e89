#!/usr/bin/env python3
"""Measures decisions for other proxies, in one run, on 64 connections.

Compares forward-auth, verify and introspection with a minimal Hummingbird server, and nginx with auth_request with Keyward's
own gateway.

Usage: verification.py [surfaces|auth_request ...]   (both by default)

Requires `swift build -c release --product HummingbirdHello` in addition to the release build of Keyward, with the same flags.
Environment: ROUNDS (5), DUR (seconds per measurement, 4), HELLO (the binary of the minimal server).
"""
import json
import os
import statistics
import sys

import gateway as load
import keyward_bench as bench

HELLO = os.environ.get("HELLO", os.path.join(bench.ROOT, ".build/release/HummingbirdHello"))


class Surface(load.Server):
    """A path of a server, with the request to send."""

    def __init__(self, name, process, port, path, key, script=""):
        super().__init__(name, process, port, key)
        self.path, self.script = path, script


def post(body, content_type):
    return "wrk.method = 'POST'\nwrk.body = %s\nwrk.headers['Content-Type'] = '%s'\n" % (json.dumps(body), content_type)


def measured(title, surfaces):
    samples = load.interleave(surfaces, lambda surface: load.sized(surface, surface.path, 64, surface.script))
    load.requests_table(title, samples)
    return {name: statistics.median(r["requests"] * 1e6 / r["microseconds"] for r in results)
            for name, results in samples.items()}


def surfaces(testbed):
    port = bench.free_port()
    hello = bench.start(HELLO, str(port), port=port)
    keyward = testbed.servers[-1].instance
    forwarded = "".join("wrk.headers['%s'] = '%s'\n" % field for field in (
        ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/v1/documents/7"), ("X-Forwarded-For", "192.0.2.7")))
    question = json.dumps({"key": testbed.key, "method": "GET", "path": "/v1/documents/7", "ip": "192.0.2.7"})

    def surface(name, path, key=bench.ADMIN_KEY, script=""):
        return Surface(name, keyward.process, keyward.control[1], path, key, script)

    rates = measured("decisions, 64 persistent connections", [
        Surface("bare hello", hello, port, "/", "-"),
        surface("forward-auth", "/v1/forward-auth", testbed.key, forwarded),
        surface("verify", "/v1/verify", script=post(question, "application/json")),
        surface("introspect", "/v1/introspect",
                script=post("token=" + testbed.key, "application/x-www-form-urlencoded")),
    ])
    for name, rate in rates.items():
        print("%-22s%14.2f of the bare hello" % (name, rate / rates["bare hello"]))


def auth_request(testbed):
    keyward = testbed.servers[-1]
    port = bench.free_port()
    nginx = testbed.nginx("nginx-auth.conf", port, CONTROL=keyward.instance.control[1])
    asking = Surface("nginx auth_request", nginx, port, "/", testbed.key)
    asking.pids.append(keyward.instance.process.pid)
    measured("small response of the upstream, 64 persistent connections", [
        asking, Surface("Keyward's gateway", keyward.instance.process, keyward.port, "/", testbed.key)])


SECTIONS = {section.__name__: section for section in (surfaces, auth_request)}


def main():
    absent = bench.missing("nginx", "wrk", "openssl")
    if absent:
        raise SystemExit("missing: " + ", ".join(absent))
    testbed = load.Testbed(peers=False)
    for name in sys.argv[1:] or list(SECTIONS):
        SECTIONS[name](testbed)


if __name__ == "__main__":
    main()
