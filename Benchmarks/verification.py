#!/usr/bin/env python3
"""Decisions for others, in one run: forward-auth, verify and introspection beside a bare Hummingbird "hello", on 64 connections;
and nginx that asks Keyward (auth_request) beside Keyward's own gateway.

Usage: verification.py [surfaces|auth_request ...]   (both by default)

Needs `swift build -c release --product HummingbirdHello` beside the release build of Keyward, with the same flags.
Environment: ROUNDS (5), DUR (seconds of a measurement, 4), HELLO (the bare server's binary).
"""
import json
import os
import statistics
import sys

import gateway as load
import keyward_bench as bench

HELLO = os.environ.get("HELLO", os.path.join(bench.ROOT, ".build/release/HummingbirdHello"))


class Surface(load.Server):
    """A path of a server with what to send there."""

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


def surfaces(place):
    port = bench.free_port()
    hello = bench.start(HELLO, str(port), port=port)
    keyward = place.servers[-1].instance
    told = "".join("wrk.headers['%s'] = '%s'\n" % field for field in (
        ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/v1/documents/7"), ("X-Forwarded-For", "192.0.2.7")))
    question = json.dumps({"key": place.key, "method": "GET", "path": "/v1/documents/7", "ip": "192.0.2.7"})

    def surface(name, path, key=bench.ADMIN_KEY, script=""):
        return Surface(name, keyward.process, keyward.control[1], path, key, script)

    rates = measured("a decision, 64 kept connections", [
        Surface("bare hello", hello, port, "/", "-"),
        surface("forward-auth", "/v1/forward-auth", place.key, told),
        surface("verify", "/v1/verify", script=post(question, "application/json")),
        surface("introspect", "/v1/introspect",
                script=post("token=" + place.key, "application/x-www-form-urlencoded")),
    ])
    for name, rate in rates.items():
        print("%-22s%14.2f of the bare hello" % (name, rate / rates["bare hello"]))


def auth_request(place):
    keyward = place.servers[-1]
    port = bench.free_port()
    nginx = place.nginx("nginx-auth.conf", port, CONTROL=keyward.instance.control[1])
    asking = Surface("nginx that asks", nginx, port, "/", place.key)
    asking.pids.append(keyward.instance.process.pid)
    measured("a small answer of the upstream, 64 kept connections", [
        asking, Surface("Keyward's gateway", keyward.instance.process, keyward.port, "/", place.key)])


SECTIONS = {section.__name__: section for section in (surfaces, auth_request)}


def main():
    absent = bench.missing("nginx", "wrk", "openssl")
    if absent:
        raise SystemExit("missing: " + ", ".join(absent))
    place = load.Place(peers=False)
    for name in sys.argv[1:] or list(SECTIONS):
        SECTIONS[name](place)


if __name__ == "__main__":
    main()
