#!/usr/bin/env python3
"""Measures the seconds to import a million keys: half are digests of `sk_gom_` tokens, half are plain tokens.

Also measures the time until two instances have loaded them, and the time of a page. Checks that tokens of the file are accepted.
Environment: COUNT (1000000), MODE (atomic), KEYWARD (the binary, as in the other benchmarks).
"""
import hashlib
import http.client
import json
import os
import subprocess
import time

import keyward_bench as bench

COUNT = int(os.environ.get("COUNT", "1000000"))
MODE = os.environ.get("MODE", "atomic")
LINES = bench.FOLDER + "/keys.ndjson"


def token(number):
    return ("sk_gom_%032x" if number % 2 else "live-%032x") % number


def line(number):
    key = {"name": "key %d" % number, "owner": "owner %d" % (number % 1000), "created_at": 1_600_000_000 + number,
           "expires_at": 4_000_000_000}
    if number % 2:
        key.update(digest=hashlib.sha256(token(number)[7:].encode()).hexdigest(), algorithm="sha256", of="suffix",
                   prefix="sk_gom_", last_four=token(number)[-4:])
    else:
        key.update(token=token(number), prefix="live-")
    return json.dumps(key, separators=(",", ":")) + "\n"


def is_accepted(instance, number):
    connection = http.client.HTTPConnection(*instance.gateway)
    connection.request("GET", "/", headers={"Authorization": "Bearer " + token(number)})
    return connection.getresponse().status == 200


def keys_in_memory(instance):
    connection = http.client.HTTPConnection(*instance.control)
    connection.request("GET", "/readyz")
    return json.loads(connection.getresponse().read())["keys"]


def command(instance, *arguments):
    environment = {**os.environ, "KEYWARD_ADMIN_KEY": bench.ADMIN_KEY,
                   "KEYWARD_CONTROL_URL": "http://%s:%d" % instance.control}
    return subprocess.run([bench.KEYWARD, "keys", *arguments], env=environment, capture_output=True, text=True)


def timed(work):
    start = time.time()
    result = work()
    return time.time() - start, result


first = bench.Instance()
second = bench.Instance(bench.private_database())
with open(LINES, "w") as file:
    file.writelines(map(line, range(COUNT)))
print("%d lines, %.0f MB" % (COUNT, os.path.getsize(LINES) / 1e6))

before = bench.resident_megabytes(first.process.pid)
checking, dry = timed(lambda: command(first, "import", LINES, "--dry-run"))
print("dry run: %.1f s: %s" % (checking, dry.stdout.strip() or dry.stderr.strip()))
cpu = bench.cpu_seconds(first.process.pid)
seconds, done = timed(lambda: command(first, "import", LINES, "--mode", MODE))
if done.returncode:
    raise SystemExit(done.stderr)
responded = time.time()
print("import: %.1f s, %.0f keys per second, %.1f s of CPU including PostgreSQL: %s" % (
    seconds, COUNT / seconds, bench.cpu_seconds(first.process.pid) - cpu, done.stdout.strip()))
sample = range(0, COUNT, max(1, COUNT // 200))
if not all(is_accepted(first, number) for number in sample):
    raise SystemExit("the gateway refused a token")
for name, instance in (("first", first), ("second", second)):
    while keys_in_memory(instance) < COUNT:
        time.sleep(0.05)
    print("loaded by the %s instance %.1f s after the response" % (name, time.time() - responded))
if not all(is_accepted(instance, number) for number in sample for instance in (first, second)):
    raise SystemExit("the gateway refused a token")
print("resident memory including PostgreSQL: %.0f MB before, %.0f MB after" % (before, bench.resident_megabytes(first.process.pid)))
page, _ = timed(lambda: first.admin("GET", "?limit=100"))
print("a page of 100: %.0f ms" % (page * 1000))
writing, out = timed(lambda: command(first, "export", "--output", LINES + ".out"))
print("export: %.1f s: %d lines" % (writing, sum(1 for _ in open(LINES + ".out"))))
again, repeated = timed(lambda: command(first, "import", LINES))
print("repeated import: %.1f s: %s" % (again, repeated.stderr.strip().splitlines()[-1]))
