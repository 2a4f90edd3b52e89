#!/usr/bin/env python3
"""Measures the milliseconds in PostgreSQL for pages of a list of a million keys: every order and filter, first and later pages.

Pages are requested over HTTP. The times of planning and execution come from pg_stat_statements, as medians of ROUNDS. The script
fails if a page takes longer than LIMIT_MS, or for pages in `HARD` longer than their own limit. At the end it prints the WORST
slowest pages. PLANS names a file for the plans of pages above the limit. ONLY restricts the run to filters with this prefix.
"""
import base64
import http.client
import os
import statistics
import struct
import subprocess
import sys
import urllib.parse
import uuid
import zlib

import keyward_bench as bench

KEYS = int(os.environ.get("KEYS", "1000000"))
LIMIT_MS = float(os.environ.get("LIMIT_MS", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PLANS = os.environ.get("PLANS")
ONLY = os.environ.get("ONLY", "")
WORST = int(os.environ.get("WORST", "25"))

SETTINGS = {
    "shared_buffers": "1GB", "fsync": "off", "max_wal_size": "8GB", "autovacuum": "off",
    "shared_preload_libraries": "pg_stat_statements,auto_explain", "pg_stat_statements.track_planning": "on",
    "auto_explain.log_min_duration": str(int(LIMIT_MS)) if PLANS else "-1", "log_destination": "stderr",
}

# Keys created in sequence over two years. Expiry, use, disabling and deactivation are random; older keys are deactivated more
# often. Names such as "one in a thousand" are true.
DATA = (
    "DO 'BEGIN PERFORM setseed(0.42); END'",
    """
    INSERT INTO auth_keys (id, name, description, owner, scopes, labels, enabled, expires_at, deactivated_at, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid,
        (ARRAY['build', 'deploy', 'backup', 'report', 'ingest', 'mobile', 'partner', 'batch', 'sync', 'audit'])[1 + (r1 * 10)::int %% 10]
            || ' ' || (ARRAY['server', 'agent', 'worker', 'gateway', 'job'])[1 + (r2 * 5)::int %% 5] || ' ' || n,
        CASE WHEN r3 < 0.5 THEN 'made for ' || (ARRAY['billing', 'search', 'the data team', 'customer support'])[1 + (r2 * 4)::int %% 4]
            || ' by ' || md5((n %% 5000)::text) ELSE '' END,
        CASE WHEN r4 < 0.1 THEN 'one in ten' WHEN r4 < 0.11 THEN 'one in a hundred' WHEN r4 < 0.111 THEN 'one in a thousand'
            WHEN r4 < 0.9 THEN 'team ' || n %% 20000 END,
        CASE WHEN r5 < 0.9 THEN ARRAY['documents:read'] || CASE WHEN r5 < 0.3 THEN ARRAY['documents:write'] ELSE '{}' END
            WHEN r5 < 0.91 THEN ARRAY['one:hundredth'] WHEN r5 < 0.911 THEN ARRAY['one:thousandth'] ELSE '{}' END,
        CASE WHEN r6 < 0.6 THEN jsonb_build_object('env', 'prod', 'tenant', 't' || n %% 50000) WHEN r6 < 0.9 THEN '{"env": "test"}'
            WHEN r6 < 0.91 THEN '{"env": "canary"}' WHEN r6 < 0.911 THEN '{"beta": "yes"}' ELSE '{}' END,
        r7 >= 0.01, CASE WHEN r8 < 0.4 THEN at + (30 + r9 * 700) * interval '1 day' END,
        CASE WHEN r10 < 0.2 * (1 - n / %(keys)d.0) THEN at + (now() - at) * r11 END, at
    FROM (
        SELECT n, now() - (%(keys)d - n) * interval '63 seconds' AS at, random() r1, random() r2, random() r3, random() r4,
            random() r5, random() r6, random() r7, random() r8, random() r9, random() r10, random() r11
        FROM generate_series(1, %(keys)d) n) t
    """ % {"keys": KEYS},
    """
    INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
    SELECT sha256(id::text::bytea), id,
        CASE WHEN n % 1000 = 0 THEN 'thousandth' WHEN n % 100 = 1 THEN 'hundredth' WHEN n % 10 = 2 THEN 'tenth' ELSE 'kw' END,
        substr(translate(encode(sha256(id::text::bytea), 'base64'), '+/', 'xy'), 1, 4), created_at
    FROM (SELECT id, created_at, row_number() OVER (ORDER BY created_at) n FROM auth_keys) k
    """,
    # Seven in ten keys were used, most of them recently.
    """
    UPDATE auth_key_usage u SET last_used_at = t.last - (t.last - t.created_at) * power(random(), 6), requests = 7,
        last_address = '192.0.2.1', last_agent = 'curl'
    FROM (SELECT id, created_at, LEAST(deactivated_at, expires_at, now()) AS last FROM auth_keys) t
    WHERE t.id = u.key_id AND random() < 0.7
    """,
    """
    INSERT INTO auth_key_secret_usage (digest, key_id, last_used_at, requests)
    SELECT s.digest, s.key_id, u.last_used_at, u.requests FROM auth_key_secrets s JOIN auth_key_usage u USING (key_id)
    WHERE u.last_used_at IS NOT NULL
    """,
    "VACUUM FULL auth_key_usage", "VACUUM ANALYZE", "CREATE EXTENSION pg_stat_statements",
)

# By order: the ORDER BY terms, then the time, the name and the field number in a cursor.
SORTS = {
    "-created": ("k.created_at DESC, k.name, k.id", "k.created_at", "k.name", 0),
    "created": ("k.created_at, k.name DESC, k.id DESC", "k.created_at", "k.name", 0),
    "name": ("k.name, k.id", None, "k.name", 1), "-name": ("k.name DESC, k.id DESC", None, "k.name", 1),
    "-last_used": ("u.last_used_at DESC NULLS LAST, u.key_id", "u.last_used_at", None, 2),
    "last_used": ("u.last_used_at NULLS FIRST, u.key_id DESC", "u.last_used_at", None, 2),
    "expires": ("k.expires_at, k.id", "k.expires_at", None, 3),
    "-expires": ("k.expires_at DESC, k.id DESC", "k.expires_at", None, 3),
}

FILTERS = (
    [("", "none"), ("limit=1000", "none, 1,000 keys")]
    + [("status=" + s, s) for s in ("active", "disabled", "deactivated", "expired")]
    + [("expiring_within=" + t, "expiring " + t) for t in ("1h", "7d", "90d")]
    + [("unused_for=" + t, "unused " + t) for t in ("7d", "90d", "700d", "800d")]
    + [("owner=" + o, "owner " + o) for o in ("one in ten", "one in a hundred", "one in a thousand", "team 77", "nobody")]
    + [("label=" + n, "label " + n) for n in (
        "env=prod", "env=canary", "beta=yes", "tenant=t77", "env=none", "env", "beta", "none")]
    + [("scope=" + s, "scope " + s) for s in (
        "documents:read", "documents:write", "one:hundredth", "one:thousandth", "none")]
    + [("prefix=" + p, "prefix " + p) for p in ("kw", "tenth", "hundredth", "thousandth", "none")]
    + [("last_four=aBcd", "last four")]
    + [("q=" + q, "text " + q) for q in (
        "server", "customer", "server 12", "server 1234", "777777", "zzzz", "7", "77", "ag", "zq", "z", "%")]
    + [("status=%s&q=%s" % (s, q), "%s, %s" % (s, q)) for s in ("active", "disabled", "deactivated", "expired")
       for q in ("server", "777777", "ag")]
    + [("status=active&owner=one in a hundred", "active, owner 1%"), ("status=active&owner=team 77", "active, team 77"),
       ("status=disabled&label=env=prod", "disabled, prod"), ("status=deactivated&label=beta=yes", "deactivated, beta"),
       ("scope=documents:read&q=agent", "scope, agent"), ("unused_for=90d&status=active", "unused 90d, active"),
       ("owner=nobody&label=env=prod", "nobody, prod")]
)

# Limits in milliseconds of slower pages (docs/admin-api.md gives the reasons): in the order of creation, and in other orders.
HARD_BY_CREATION = {
    "none, 1,000 keys": 40, "label env=canary": 30, "scope one:hundredth": 25, "text 7": 20, "text 77": 250, "text %": 2500,
}
HARD = {
    "none, 1,000 keys": 60, "disabled": 15, "deactivated": 15, "expired": 15, "expiring 90d": 15, "unused 7d": 20, "unused 90d": 150,
    "unused 700d": 30, "owner one in a hundred": 15, "owner one in a thousand": 15, "label env=canary": 30, "label beta=yes": 15,
    "scope one:hundredth": 30, "scope one:thousandth": 15, "prefix tenth": 20, "prefix thousandth": 20, "text server": 150,
    "text customer": 110, "text server 12": 20, "text server 1234": 20, "text 7": 20, "text 77": 250, "text ag": 350, "text %": 2500,
    "active, owner 1%": 40, "disabled, prod": 40, "deactivated, beta": 20, "scope, agent": 220, "unused 90d, active": 150,
}
# A status and a text: the index of one does not contain the other.
for status in ("active", "disabled", "deactivated", "expired"):
    for text in ("server", "777777", "ag"):
        HARD["%s, %s" % (status, text)] = HARD_BY_CREATION["%s, %s" % (status, text)] = 400


def rows(statement):
    out = subprocess.run(
        [bench.postgres_program("psql"), "-qXAtF", "\x1f", "-d", database, "-c", statement],
        capture_output=True, text=True, check=True).stdout
    return [line.split("\x1f") for line in out.split("\n") if line]


def cursor_at(sort, offset):
    """Returns the cursor of the key at this offset of the list."""
    order, moment, name, field = SORTS[sort]
    [key, at, text] = rows("""
        SELECT k.id, (extract(epoch FROM %s) * 1000000)::bigint, %s FROM auth_keys k JOIN auth_key_usage u ON u.key_id = k.id
        ORDER BY %s OFFSET %d LIMIT 1""" % (moment or "NULL::timestamptz", name or "''", order, offset))[0]
    data = bytes([0x80 | field << 2 | (2 if sort[0] == "-" else 0) | (1 if at else 0)])
    data += (struct.pack(">q", int(at)) if at else b"") + uuid.UUID(key).bytes + text.encode()
    data += struct.pack(">I", zlib.crc32(data))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def get(query):
    control.request("GET", "/admin/api/v1/auth-keys?" + urllib.parse.quote(query, safe="=&"),
                    headers={"Authorization": "Bearer " + bench.ADMIN_KEY})
    response = control.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit("%s: %d %s" % (query, response.status, body))


def measure(query, statements):
    get(query)
    found = []
    for _ in range(ROUNDS):
        rows("SELECT pg_stat_statements_reset()")
        get(query)
        [[milliseconds]] = rows(
            "SELECT sum(total_plan_time + total_exec_time) FROM pg_stat_statements WHERE query ~ '%s'" % statements)
        found.append(float(milliseconds))
    return statistics.median(found)


postgres = bench.Postgres(SETTINGS)
database = postgres.database
instance = bench.Instance(database)
bench.sql(database, *DATA)
instance.stop()
instance = bench.Instance(database)
control = http.client.HTTPConnection(*instance.control)
failures = []
slowest = []


def check(name, sort, milliseconds):
    allowed = (HARD_BY_CREATION if "created" in sort else HARD).get(name, LIMIT_MS)
    slowest.append((milliseconds, name, sort))
    if milliseconds > allowed:
        failures.append("%s by %s: %.1f ms" % (name, sort, milliseconds))
    return "%8.1f%s" % (milliseconds, "!" if milliseconds > LIMIT_MS else " ")


print("%-20s %-7s" % ("milliseconds", "") + "".join("%11s" % sort for sort in SORTS))
for label, offset in (("first", 0), ("middle", KEYS // 2), ("deep", KEYS * 4 // 5), ("last", KEYS - 50)):
    cursors = {sort: "&cursor=" + cursor_at(sort, offset) if offset else "" for sort in SORTS}
    for query, name in FILTERS:
        if not name.startswith(ONLY) or (label in ("deep", "last") and query):
            continue
        line = "%-20s %-7s" % (name, label)
        for sort in SORTS:
            line += "  " + check(name, sort, measure(
                "sort=%s%s%s" % (sort, "&" + query if query else "", cursors[sort]), "^WITH s0 AS|^SELECT count"))
        print(line, flush=True)

print("%-28s" % "total")
for query, name in FILTERS:
    if name.startswith(ONLY):
        print("%-28s   %7.1f" % (name, measure(
            "total=true" + ("&" + query if query else ""), "^SELECT count|^EXPLAIN")), flush=True)

print("slowest pages:")
for milliseconds, name, sort in sorted(slowest, reverse=True)[:WORST]:
    print("%8.1f ms  %s by %s" % (milliseconds, name, sort))

if PLANS:
    with open(postgres.log) as log, open(PLANS, "w") as plans:
        plans.write(log.read())
if failures:
    print("pages above their limit:\n  " + "\n  ".join(failures))
    sys.exit(1)
