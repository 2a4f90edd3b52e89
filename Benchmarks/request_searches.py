#!/usr/bin/env python3
"""Measures searches of the request log: DAYS partitions with ROWS lines each, and the searches of its design.

The keys, owners and addresses of the lines are skewed: a few have most of the lines. Searches are sent over HTTP. The script prints the
median of ROUNDS for the first page: the time in PostgreSQL (planning and execution, from pg_stat_statements), and that over HTTP. Then
the number of lines and statements, the partitions and indexes that PostgreSQL read, and the number of pages and the time until the
search has its first line or the end of the log. It fails if the first page of an indexed search takes longer than LIMIT_MS in
PostgreSQL, or any page longer than BUDGET_MS and a half second over HTTP.
"""
import datetime
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.parse

import keyward_bench as bench

DAYS = int(os.environ.get("DAYS", "30"))
ROWS = int(os.environ.get("ROWS", "200000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
LIMIT_MS = float(os.environ.get("LIMIT_MS", "10"))
BUDGET_MS = float(os.environ.get("BUDGET_MS", "2000"))
KEYS = int(os.environ.get("KEYS", "100000"))
PATH = "/admin/api/v1/requests"

SETTINGS = {
    "shared_buffers": "1GB", "fsync": "off", "max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": "0",
    "autovacuum": "off", "shared_preload_libraries": "auto_explain,pg_stat_statements", "pg_stat_statements.track_planning": "on",
    "log_destination": "stderr",
}

# The id of key number n is md5('key' || n). Key 0 has some 2 % of the lines.
KEY = "md5('key' || %s)::uuid"
FILL = """
    INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, key_id, upstream_micros, instance, upstream, status, surface, outcome,
        flags, method, path, code, address, agent, owner)
    SELECT at, (r4 * 900)::int, (r4 * 40000)::int, (100 + 100000 * power(r4, 8))::int,
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(n::text || '%(start)s'), 1, 20))::uuid,
        """ + KEY % "k" + """, (100 + 90000 * power(r4, 8))::int, 1 + (r1 * 3)::int, 5, status, 1 + (r3 * 1.2)::int,
        CASE WHEN status < 400 OR status = 404 THEN 1 WHEN status = 429 THEN 3 WHEN status < 500 THEN 2 ELSE 4 END, 1,
        (ARRAY['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'])[1 + (r2 * 5)::int],
        CASE WHEN r4 < 0.0001 THEN '/admin/rare/' || n %% 100 ELSE '/v1/' || (ARRAY['reports', 'documents', 'users', 'orders'])[1 +
            (r2 * 3)::int] || '/' || (r3 * 100000)::int END,
        CASE status WHEN 429 THEN 'too_many_concurrent_requests' WHEN 401 THEN CASE WHEN r2 < 0.02 THEN 'key_expired' ELSE 'key_unknown'
            END WHEN 403 THEN 'scope_missing' WHEN 502 THEN 'upstream_unreachable' END,
        '10.0.0.0'::inet + (power(r2, 3) * 200000)::int, (ARRAY['curl', 'python-requests', 'Go-http-client', 'okhttp'])[1 + (r3 * 3)::int],
        'owner ' || k %% 2000
    FROM (
        SELECT n, '%(start)s'::timestamptz + n * interval '1 day' / %(rows)d AS at, (power(r1, 3) * %(keys)d)::int AS k, r1, r2, r3, r4,
            CASE WHEN r5 > 0.045 THEN 200 WHEN r5 > 0.035 THEN 401 WHEN r5 > 0.028 THEN 404 WHEN r5 > 0.012 THEN 429
                WHEN r5 > 0.006 THEN 403 WHEN r5 > 0.001 THEN 502 ELSE 500 END AS status
        FROM (SELECT n, random() r1, random() r2, random() r3, random() r4, random() r5 FROM generate_series(0, %(rows)d - 1) n) r
    ) t
    WHERE at < now()
    """


def rows(statement):
    out = subprocess.run(
        [bench.postgres_program("psql"), "-qXAtF", "\x1f", "-d", database, "-c", statement],
        capture_output=True, text=True, check=True).stdout
    return [line.split("\x1f") for line in out.split("\n") if line]


def get(target):
    start = time.monotonic()
    control.request("GET", target, headers={"Authorization": "Bearer " + bench.ADMIN_KEY})
    response = control.getresponse()
    body = response.read()
    milliseconds = (time.monotonic() - start) * 1_000
    if response.status != 200:
        raise SystemExit("%s: %d %s" % (target, response.status, body))
    link = response.getheader("Link")
    return milliseconds, json.loads(body), link and link[1:link.index(">")], response.getheader("X-Keyward-Searched-To")


def plan(target):
    """Returns what PostgreSQL read for a page: statements, partitions, indexes."""
    rows("ALTER SYSTEM SET auto_explain.log_min_duration = 0")
    rows("SELECT pg_reload_conf()")
    time.sleep(0.3)
    size = os.path.getsize(postgres.log)
    get(target)
    time.sleep(0.3)
    rows("ALTER SYSTEM RESET auto_explain.log_min_duration")
    rows("SELECT pg_reload_conf()")
    time.sleep(0.3)
    with open(postgres.log) as log:
        log.seek(size)
        text = log.read()
    plans = [part for part in re.split(r"LOG:  duration: ", text) if re.search(r"FROM request_log r\b", part)]
    used = [name for part in plans for name in re.findall(r"(?:Scan.* using|Bitmap Index Scan on) (\S+)", part) if name in indexes]
    scans = [name for part in plans for name in re.findall(r"Seq Scan on (request_log_\d+)", part)]
    return (len(plans), len({indexes[name][1] for name in used}),
            ", ".join(sorted({indexes[name][0] for name in used})) + (", seq scan" if scans else ""))


today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
postgres = bench.Postgres(SETTINGS)
database = postgres.database
instance = bench.Instance(database)
started = time.monotonic()
bench.sql(
    database, "DO 'BEGIN PERFORM setseed(0.42); END'",
    "INSERT INTO request_log_names (kind, name) SELECT 'instance', 'gw-' || n FROM generate_series(1, 4) n",
    "INSERT INTO request_log_names (kind, name) VALUES ('upstream', 'http://10.0.0.1:8080')",
    "INSERT INTO auth_keys (id, name, owner) SELECT %s, 'key ' || n, 'owner ' || n %% 2000 FROM generate_series(0, %d) n" % (
        KEY % "n", KEYS))
# Partitions that the instance made itself.
for (name,) in rows("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'request_log'::regclass"):
    bench.sql(database, "DROP TABLE " + name)
for number in range(DAYS, -2, -1):
    start, end = (today - datetime.timedelta(days=number - extra) for extra in (0, 1))
    bench.sql(database, "CREATE TABLE request_log_%s PARTITION OF request_log FOR VALUES FROM ('%s') TO ('%s')" % (
        start.strftime("%Y%m%d"), start, end))
    if number >= 0:
        bench.sql(database, FILL % {"start": start, "rows": ROWS, "keys": KEYS})
bench.sql(database, "VACUUM ANALYZE", "CREATE EXTENSION pg_stat_statements")
[[total, size, bytes_a_row]] = rows("""
    SELECT sum(reltuples)::bigint, pg_size_pretty(sum(pg_total_relation_size(oid))),
        (sum(pg_total_relation_size(oid)) / sum(reltuples))::int
    FROM pg_class WHERE relname LIKE 'request_log_2%' AND relkind = 'r'""")
indexes = {name: (parent, table) for name, parent, table in rows("""
    SELECT c.relname, p.relname, t.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    JOIN pg_class p ON p.oid = h.inhparent JOIN pg_index x ON x.indexrelid = c.oid JOIN pg_class t ON t.oid = x.indrelid""")}
print("%s lines in %d partitions, %s, %s bytes a line; filled in %d s" % (
    total, DAYS + 1, size, bytes_a_row, time.monotonic() - started), flush=True)
control = http.client.HTTPConnection(*instance.control)


def one(statement):
    return rows(statement)[0][0]


def key(rank):
    """Returns the id of the key with this rank by number of lines."""
    return one("""SELECT key_id FROM request_log WHERE at > now() - interval '1 day' GROUP BY 1
        ORDER BY count(*) DESC, 1 OFFSET %d LIMIT 1""" % rank)


middle = (today - datetime.timedelta(days=DAYS // 2)).strftime("%Y-%m-%dT%H:%M:%SZ")
hot, medium, cold = key(0), key(1_000), one("""
    SELECT key_id FROM request_log WHERE at < '%s' GROUP BY 1 HAVING count(*) <= 5 LIMIT 1""" % middle)
request = one("SELECT id FROM request_log WHERE at >= '%s' ORDER BY at LIMIT 1" % middle).replace("-", "")
# True for searches that an index answers: the first page has to take at most LIMIT_MS.
SEARCHES = [
    ("the last 100", {}, True), ("the last 1,000", {"limit": 1000}, False), ("100 from the middle", {"until": middle}, True),
    ("the hottest key", {"key_id": hot}, True), ("a medium key", {"key_id": medium}, True), ("a key of 5 lines", {"key_id": cold}, True),
    ("no such key", {"key_id": "0190163d-8694-739b-8b6e-c1e1b9f4a2d3"}, True), ("a request", {"request_id": request}, True),
    ("5xx", {"status": "5xx"}, True), ("5xx in an hour", {"status": "5xx", "since": "1h"}, True), ("429", {"status": "429"}, True),
    ("429 before the middle", {"status": "429", "until": middle}, True),
    ("the hottest key, 5xx", {"key_id": hot, "status": "5xx"}, False), ("a medium key, POST", {"key_id": medium, "method": "POST"}, False),
    ("outcome limited", {"outcome": "limited"}, False), ("a rare code", {"code": "key_expired"}, False),
    ("an absent code", {"code": "no_such_code"}, False), ("a rare path", {"path": "/admin/rare/7"}, False),
    ("a frequent path", {"path": "/v1/reports"}, False), ("an absent path", {"path": "/nowhere"}, False),
    ("an address", {"address": "10.0.0.7"}, False), ("an absent address", {"address": "192.0.2.1"}, False),
    ("a /24", {"address": "10.1.0.0/24"}, False), ("an owner", {"owner": "owner 7"}, False),
    ("an absent owner", {"owner": "nobody"}, False), ("an absent subtree", {"owner": "nobody/**"}, False),
    ("slower than 99 ms", {"min_ms": 99}, False), ("slower than 10 s", {"min_ms": 10_000}, False),
    ("an instance", {"instance": "gw-3"}, False), ("an absent instance", {"instance": "gw-99"}, False),
    ("a path, a method, an address", {"path": "/v1/users", "method": "PUT", "address": "10.0.0.0/16"}, False),
]
failures = []
print("%-30s %9s %9s %6s %8s %10s  %-34s %s" % ("search", "ms", "HTTP", "lines", "queries", "partitions", "indexes", "until a line or the end"))
for name, parameters, is_indexed in SEARCHES:
    target = PATH + "?" + urllib.parse.urlencode(parameters)
    times, database_times = [], []
    for _ in range(ROUNDS):
        rows("SELECT pg_stat_statements_reset()")
        milliseconds, lines, following, searched_to = get(target)
        times.append(milliseconds)
        database_times.append(float(one(
            "SELECT coalesce(sum(total_plan_time + total_exec_time), 0) FROM pg_stat_statements WHERE query ~ 'FROM request_log r'")))
    queries, partitions, used = plan(target)
    pages, elapsed = 1, milliseconds
    while not lines and following:
        milliseconds, lines, following, _ = get(following)
        times.append(milliseconds)
        pages, elapsed = pages + 1, elapsed + milliseconds
    median, worst = statistics.median(database_times), max(times)
    end = "" if pages == 1 and not searched_to else "%d pages, %.1f s" % (pages, elapsed / 1_000)
    print("%-30s %9.1f %9.1f %6d %8d %10d  %-34s %s" % (name, median, statistics.median(times[:ROUNDS]), len(lines), queries, partitions, used, end), flush=True)
    if is_indexed and median > LIMIT_MS:
        failures.append("%s: %.1f ms" % (name, median))
    if worst > BUDGET_MS + 500:
        failures.append("%s: %.1f ms at worst" % (name, worst))
if failures:
    print("searches above their limit:\n  " + "\n  ".join(failures))
    sys.exit(1)
