#!/usr/bin/env python3
"""Migrates a database under traffic: an older Keyward serves while this one starts beside it. No request may be refused.

Usage: OLD=/path/to/an/older/keyward migration.py
Environment: OLD (a binary of an earlier release), KEYS (200000), SECONDS (20).
The older Keyward creates the database and one key; SQL creates the other keys. wrk sends requests to the older gateway all the
time, and to the new one as soon as it listens. Afterwards both issue and revoke keys, and each must see the other's changes.
"""
import http.client
import os
import re
import subprocess
import time

import keyward_bench as bench

OLD = os.environ.get("OLD")
KEYS = int(os.environ.get("KEYS", "200000"))
SECONDS = int(os.environ.get("SECONDS", "20"))


def load(instance, token, seconds):
    return subprocess.Popen(
        ["wrk", "-t", "1", "-c", "16", "-d", "%ds" % seconds, "-H", "Authorization: Bearer " + token,
         "http://%s:%d/" % instance.gateway], stdout=subprocess.PIPE, text=True)


def report(name, process):
    text = process.communicate()[0]
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", text) or [0, 0])[1])
    errors = re.search(r"Socket errors: .*", text)
    print("%s: %d requests, %d refused%s" % (name, requests, refused, ", " + errors.group(0) if errors else ""))
    return refused == 0 and not errors and requests > 0


def status(instance, token):
    connection = http.client.HTTPConnection(*instance.gateway)
    connection.request("GET", "/", headers={"Authorization": "Bearer " + token})
    return connection.getresponse().status


def until(what, seconds, condition):
    start = time.time()
    while not condition():
        if time.time() - start > seconds:
            raise SystemExit("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


def main():
    if not OLD:
        raise SystemExit("OLD is not set: it must name a binary of an earlier release")
    new, bench.KEYWARD = bench.KEYWARD, OLD
    old = bench.Instance()
    database = bench.private_database()
    token = old.admin("POST", body={"name": "from before"})["value"]
    bench.sql(database, """
        INSERT INTO auth_keys (id, name, owner) SELECT gen_random_uuid(), 'key ' || n, 'owner ' || n % 100
        FROM generate_series(1, """ + str(KEYS) + ") n", """
        INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
        SELECT sha256(id::text::bytea), id, 'kw', '0000' FROM auth_keys WHERE owner IS NOT NULL""")
    traffic = load(old, token, SECONDS)
    time.sleep(1)
    start = time.time()
    bench.KEYWARD = new
    fresh = bench.Instance(database)
    print("%d keys: the new instance has migrated and loaded them and listens after %.1f s" % (KEYS, time.time() - start))
    beside = load(fresh, token, max(5, SECONDS - int(time.time() - start) - 2))
    passed = True
    for maker, other in [(old, fresh), (fresh, old)]:
        key = maker.admin("POST", body={"name": "created during the migration"})
        passed = passed and status(maker, key["value"]) == 200 and status(other, key["value"]) == 200
        maker.admin("POST", "/%s/deactivate" % key["id"])
        passed = passed and status(maker, key["value"]) == 401
        until("a revocation on the other instance", 3, lambda: status(other, key["value"]) == 401)
    print("both instances create, verify and revoke keys: %s" % ("yes" if passed else "NO"))
    passed = report("old instance, during the migration", traffic) and passed
    passed = report("new instance, from its start", beside) and passed
    raise SystemExit(0 if passed else 1)


main()
