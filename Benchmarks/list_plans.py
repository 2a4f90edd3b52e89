#!/usr/bin/env python3
"""Measures each plan of a list (`ListPlan`) for sets of 250 to 50,000 of a million keys, so that its limits can be compared.

Requests over HTTP make an instance choose a plan for each size. Their statements come from PostgreSQL's log. Each statement of an
order is then executed for every size: milliseconds of planning and execution, medians of ROUNDS. A star marks the plan that the
instance chose. `count` is the statement that finds out the size.
"""
import http.client
import os
import re
import statistics
import subprocess
import time
import urllib.parse

import keyward_bench as bench

KEYS = int(os.environ.get("KEYS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
PAGE = os.environ.get("PAGE", "100")
SIZES = (250, 500, 1_000, 1_500, 2_000, 3_000, 4_500, 6_000, 8_000, 10_000, 15_000, 20_000, 30_000, 50_000)

SETTINGS = {
    "shared_buffers": "1GB", "fsync": "off", "max_wal_size": "8GB", "autovacuum": "off", "log_destination": "stderr",
    "log_min_duration_statement": "0", "log_line_prefix": "",
}


def sized(rank):
    """Returns the SQL for the size of the set that the key of a rank belongs to; NULL for most keys."""
    ends = [sum(SIZES[:index + 1]) for index in range(len(SIZES))]
    return "CASE" + "".join(" WHEN %s <= %d THEN %d" % (rank, end, size) for end, size in zip(ends, SIZES)) + " END"


# Keys created in sequence over two years. The keys of an owner and of a prefix are random ones.
DATA = (
    "DO 'BEGIN PERFORM setseed(0.42); END'",
    """
    INSERT INTO auth_keys (id, name, owner, expires_at, deactivated_at, created_at)
    SELECT gen_random_uuid(), 'key ' || md5(n::text), coalesce('owner-' || %s, 'team-' || n %% 20000),
        CASE WHEN r2 < 0.4 THEN at + (30 + r3 * 700) * interval '1 day' END, CASE WHEN r4 < 0.1 THEN at + (now() - at) * r5 END, at
    FROM (
        SELECT n, now() - (%d - n) * interval '63 seconds' AS at, row_number() OVER (ORDER BY r1) AS rank, r2, r3, r4, r5
        FROM (
            SELECT n, random() r1, random() r2, random() r3, random() r4, random() r5 FROM generate_series(1, %d) n
        ) random
    ) ranked
    """ % (sized("rank"), KEYS, KEYS),
    """
    INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
    SELECT sha256(id::text::bytea), id, coalesce('of_' || %s, 'kw'), '0000', created_at
    FROM (SELECT id, created_at, row_number() OVER (ORDER BY id) AS rank FROM auth_keys) ranked
    """ % sized("rank"),
    # Seven in ten keys were used, most of them recently.
    """
    UPDATE auth_key_usage u SET last_used_at = k.last - (k.last - k.created_at) * power(random(), 6), requests = 7
    FROM (SELECT id, created_at, LEAST(deactivated_at, expires_at, now()) AS last FROM auth_keys) k
    WHERE k.id = u.key_id AND random() < 0.7
    """,
    "VACUUM FULL auth_key_usage", "VACUUM ANALYZE",
)

# The filters of a set, with the orders in which it has more than one plan.
SETS = (
    ("owner=owner-{size}", ("-last_used", "name", "expires")),
    ("prefix=of_{size}", ("-created", "-last_used", "name", "expires")),
    ("unused_for={unused}s", ("-created", "name", "expires")),
    ("expiring_within={expiring}s", ("name",)),
    ("expiring_within={expiring}s", ("-created", "-last_used")),
)


def psql(script):
    command = [bench.postgres_program("psql"), "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=True).stdout.split("\n")


def seconds(distance, moment, source):
    """Returns the time in seconds, for each size, that as many keys fit into."""
    ranked = "SELECT %s AS moment, row_number() OVER (ORDER BY %s) AS rank FROM %s" % (moment, moment, source)
    return dict(zip(SIZES, psql("SELECT %s FROM (%s) ranked WHERE rank IN (%s) ORDER BY rank" % (
        distance, ranked, ", ".join(map(str, SIZES))))))


def request(query):
    """Requests a page. Returns the statements that the instance executed for it, with their parameters."""
    start = os.path.getsize(postgres.log)
    control.request("GET", "/admin/api/v1/auth-keys?" + query, headers={"Authorization": "Bearer " + bench.ADMIN_KEY})
    response = control.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit("%s: %d %s" % (query, response.status, body))
    time.sleep(0.1)
    with open(postgres.log) as log:
        log.seek(start)
        entries = re.findall(r"^LOG: .*? (?:execute|statement)[^:]*: (.*\n(?:\t.*\n)*)(?:DETAIL:  parameters: (.*))?", log.read(), re.M)
    return [(sql.replace("\n\t", "\n").strip(), re.findall(r"\$\d+ = '([^']*)'", values)) for sql, values in entries]


def plan_of(sql):
    """Returns the plan of a statement, by the text that is special to it (`ListRows`)."""
    if sql.startswith("SELECT count"):
        return "count"
    if "months (month)" in sql:
        return "months"
    if re.search(r"CASE WHEN [ku]\.\w+ IN \(", sql):
        return "skip"
    is_sort = re.search(r"FROM \(SELECT \* FROM auth_keys|IN \(SELECT u\.key_id|UNION ALL\s+SELECT key_id", sql)
    return "sort" if is_sort else "walk"


def measure(query, sort):
    """Prints the milliseconds of each plan and size."""
    statements, chosen, filters, planning = {}, {}, {}, None
    for size in SIZES:
        wanted = query.format(size=size, unused=unused[size], expiring=expiring[size])
        # A further filter, which most keys pass, makes the instance walk instead of reading months.
        for more in ("", "&status=active") if sort in ("-created", "-last_used") and "expiring" in query else ("",):
            for sql, values in request("limit=%s&sort=%s&%s%s" % (PAGE, sort, urllib.parse.quote(wanted, safe="=&"), more)):
                if sql.startswith("SELECT set_config"):
                    planning = sql
                if not sql.startswith(("WITH s0", "SELECT count")):
                    continue
                plan = plan_of(sql)
                filters[size] = [value for value in dict.fromkeys(values) if value != PAGE]
                statements.setdefault(plan, (sql, values, filters[size]))
                if plan != "count" and not more:
                    chosen[size] = plan
    script, measured = ["BEGIN; %s;" % planning], []
    for plan, (sql, values, _) in statements.items():
        script.append('PREPARE "%s" AS %s;' % (plan, sql))
    for _ in range(ROUNDS + 1):
        for size in SIZES:
            for plan, (sql, values, own) in statements.items():
                there = dict(zip(own, filters[size]))
                arguments = ", ".join("'%s'" % there.get(value, value) for value in values)
                script.append('EXPLAIN (ANALYZE, TIMING OFF) EXECUTE "%s" (%s);' % (plan, arguments))
                measured.append((plan, size))
    times = [float(line.split()[2]) for line in psql("\n".join(script)) if line.startswith(("Planning Time", "Execution Time"))]
    found = {}
    for (plan, size), planned, executed in zip(measured, times[::2], times[1::2]):
        found.setdefault((plan, size), []).append(planned + executed)
    for plan in statements:
        line = "%-16s %-10s %-6s" % (query.split("=")[0], sort, plan)
        for size in SIZES:
            # The first round fills the caches.
            line += "%8.1f%s" % (statistics.median(found[plan, size][1:]), "*" if chosen[size] == plan else " ")
        print(line, flush=True)


postgres = bench.Postgres(SETTINGS)
database = postgres.database
instance = bench.Instance(database)
bench.sql(database, *DATA)
instance.stop()
instance = bench.Instance(database)
control = http.client.HTTPConnection(*instance.control)
unused = seconds("floor(extract(epoch FROM now() - moment))", "GREATEST(created_at, last_used_at)", "auth_key_usage")
expiring = seconds(
    "ceil(extract(epoch FROM moment - now()))", "expires_at", "auth_keys WHERE deactivated_at IS NULL AND expires_at > now()")
print("%-34s" % "milliseconds, keys in the set:" + "".join("%8d " % size for size in SIZES))
for query, sorts in SETS:
    for sort in sorts:
        measure(query, sort)
