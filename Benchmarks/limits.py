#!/usr/bin/env python3
"""Measures limits across eight instances on one PostgreSQL, with real requests.

Usage: limits.py accuracy | statements | away | cost | credits

accuracy    the requests admitted at three times the limit, and the false refusals at 80 % of it, beside one perfect bucket that gets
            the same arrivals; traffic that is even, uneven, bursty (ten times for 100 ms) or shifting (one instance for 2 s each).
statements  the statements a second of one hot limit, and of LIMITS (10,000) limits.
away        the requests admitted while PostgreSQL is suspended, and refused afterwards at 80 % of the limit.
cost        the CPU of a proxied request of a key with three limits beside a key without one, in one run.
credits     the balance after rounds of kill -9 under load: initial = spent + remaining + what killed instances had leased.
Environment: INSTANCES (8), SECONDS (60; 60 for away), LIMITS_PER (list of limit/period, "10/1m 600/1m 10/1s 100/1s 1000/1s 10000/1s"),
TRAFFIC ("even uneven bursty shifting"), ROUNDS (20 for credits, 7 for cost), AWAIT (set to let the first use of credits wait for its lease).
"""
import json
import os
import random
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

import keyward_bench as bench

INSTANCES = int(os.environ.get("INSTANCES", "8"))
SECONDS = float(os.environ.get("SECONDS", "60"))
LIMITS = os.environ.get("LIMITS_PER", "10/1m 600/1m 10/1s 100/1s 1000/1s 10000/1s").split()
TRAFFIC = os.environ.get("TRAFFIC", "even uneven bursty shifting").split()
TICK = 0.005


class Connection:
    """A connection that pipelines requests, and counts their responses by status."""

    def __init__(self, address, token):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.request = b"GET /v1/limits HTTP/1.1\r\nHost: a\r\nX-API-Key: %s\r\n\r\n" % token.encode()
        self.out, self.rest = b"", b""
        self.admitted = self.limited = self.others = 0

    def send(self, count):
        self.out += self.request * count
        self.flush()

    def flush(self):
        if self.out:
            try:
                self.out = self.out[self.socket.send(self.out):]
            except BlockingIOError:
                pass

    def read(self):
        """Counts the responses received so far."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise SystemExit("a connection was closed")
        data = self.rest + data
        # A status line that is cut is counted with the next bytes.
        cut = data.find(b"H", max(0, len(data) - 11))
        text, self.rest = (data, b"") if cut < 0 else (data[:cut], data[cut:])
        self.admitted += text.count(b"HTTP/1.1 200")
        self.limited += text.count(b"HTTP/1.1 429")
        self.others += text.count(b"HTTP/1.1 ")


class Load:
    """Sends requests at a rate, spread over instances in one of four ways, and keeps the arrivals."""

    def __init__(self, instances, tokens, rate, kind, connections=2):
        self.connections = [[Connection(i.gateway, t) for t in tokens for _ in range(connections)] for i in instances]
        self.rate, self.kind, self.random = rate, kind, random.Random(1)
        self.arrivals, self.owed = [], [0.0] * len(instances)
        weights = [1 / (n + 1) ** 1.2 for n in range(len(instances))]
        self.weights = [w / sum(weights) for w in weights]
        self.burst_ends = [0.0] * len(instances)

    def share(self, instance, now):
        count = len(self.connections)
        if self.kind == "even":
            return 1 / count
        if self.kind == "uneven":
            return self.weights[instance]
        if self.kind == "shifting":
            return float(int(now / 2) * 5 % count == instance)
        # Bursty: on for 100 ms, then off for 900 ms on average.
        if now >= self.burst_ends[instance] and self.random.random() < TICK / 0.9:
            self.burst_ends[instance] = now + 0.1
        return 10 / count if now < self.burst_ends[instance] else 0.0

    def run(self, seconds):
        begin = time.monotonic()
        last = begin
        while (now := time.monotonic()) < begin + seconds:
            total = 0
            for number, connections in enumerate(self.connections):
                self.owed[number] += self.rate * (now - last) * self.share(number, now - begin)
                count = int(self.owed[number])
                self.owed[number] -= count
                for _ in range(min(count, 4)):
                    self.random.choice(connections).send(count // min(count, 4))
                total += count // min(count, 4) * min(count, 4) if count else 0
            last = now
            if total:
                self.arrivals.append((now, total))
            self.receive(0)
            time.sleep(max(0, now + TICK - time.monotonic()))
        deadline = time.monotonic() + 5
        while self.count() < sum(count for _, count in self.arrivals) and time.monotonic() < deadline:
            self.receive(0.05)
        if self.others() != self.count():
            raise SystemExit("%d responses with another status" % (self.others() - self.count()))

    def receive(self, timeout):
        every = {c.socket: c for group in self.connections for c in group}
        writing = [c.socket for c in every.values() if c.out]
        readable, writable, _ = select.select(list(every), writing, [], timeout)
        for ready in readable:
            every[ready].read()
        for ready in writable:
            every[ready].flush()

    def sum(self, name):
        return sum(getattr(c, name) for group in self.connections for c in group)

    def admitted(self):
        return self.sum("admitted")

    def count(self):
        return self.sum("admitted") + self.sum("limited")

    def others(self):
        return self.sum("others")

    def close(self):
        for group in self.connections:
            for connection in group:
                connection.socket.close()


def perfect(arrivals, rate, burst):
    """Returns what one perfect bucket admits of the arrivals."""
    tokens, last, admitted = float(burst), arrivals[0][0], 0
    for at, count in arrivals:
        tokens, last = min(burst, tokens + rate * (at - last)), at
        taken = min(count, int(tokens))
        tokens -= taken
        admitted += taken
    return admitted


def parse(text):
    """Returns limit, rate and burst of a text such as 600/1m. The burst is a tenth of a second's worth, at least one, of short periods."""
    limit, period = text.split("/")
    seconds = int(period[:-1]) * {"s": 1, "m": 60, "h": 3600}[period[-1]]
    return int(limit), int(limit) / seconds, int(limit)


def fleet(**settings):
    postgres = bench.Postgres({"max_connections": str(60 + 20 * INSTANCES), "shared_preload_libraries": "pg_stat_statements"})
    bench.sql(postgres.database, "CREATE EXTENSION pg_stat_statements")
    instances = [
        bench.Instance(postgres.database, environment={"KEYWARD_THREADS": "1", "KEYWARD_REQUEST_LOG": "off", **settings})
        for _ in range(INSTANCES)]
    time.sleep(6)  # Each instance counts the others with its next heartbeat.
    return postgres, instances


def key(instance, limits, **members):
    if limits:
        members["limits"] = limits
    return instance.admin("POST", body={"name": "limits", **members})


def value(postgres, query):
    program = [bench.postgres_program("psql"), "-qXAt", "-d", postgres.database, "-c", query]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout.strip()


STATEMENTS = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query ~ 'limit_(levels|quotas|slots)|auth_key_credits'"


def accuracy():
    postgres, instances = fleet()
    print("%-10s %-9s %5s  %9s %9s %8s %11s" % ("limit", "traffic", "load", "admitted", "perfect", "beside", "statements"))
    for text in LIMITS:
        limit, rate, burst = parse(text)
        for kind in TRAFFIC:
            for load in (3.0, 0.8):
                made = key(instances[0], [{"name": "hot", "limit": limit, "per": text.split("/")[1]}])
                time.sleep(0.5)
                run = Load(instances, [made["value"]], rate * load, kind)
                before = int(value(postgres, STATEMENTS))
                run.run(SECONDS)
                after = int(value(postgres, STATEMENTS))
                ideal = perfect(run.arrivals, rate, burst)
                admitted = run.admitted()
                sent = sum(count for _, count in run.arrivals)
                beside = (admitted - ideal) / ideal * 100
                note = "" if load > 1 else "  false refusals %.2f %%" % (max(0, ideal - admitted) / sent * 100)
                print("%-10s %-9s %5.1f  %9d %9d %+7.2f%% %8.1f /s%s" % (
                    text, kind, load, admitted, ideal, beside, (after - before) / SECONDS, note), flush=True)
                run.close()


def statements():
    postgres, instances = fleet()
    count = int(os.environ.get("LIMITS", "10000"))
    for number, rate in ((1, 3000), (count, 3000)):
        tokens = []
        for _ in range(number):
            tokens.append(key(instances[0], [{"name": "hot", "limit": 1000, "per": "1s"}])["value"])
        time.sleep(1)
        loads = []
        # One connection carries the requests of many keys in turn.
        run = Load(instances, tokens[:1], rate, "even")
        if number > 1:
            requests = [b"GET /v1/limits HTTP/1.1\r\nHost: a\r\nX-API-Key: %s\r\n\r\n" % t.encode() for t in tokens]
            for group in run.connections:
                for connection in group:
                    connection.send = lambda count, c=connection: (
                        setattr(c, "out", c.out + b"".join(random.choices(requests, k=count))), c.flush())
        before, rows = int(value(postgres, STATEMENTS)), time.monotonic()
        run.run(SECONDS)
        after = int(value(postgres, STATEMENTS))
        print("%6d limits at %d requests a second: %.1f statements a second for %d instances" % (
            number, rate, (after - before) / SECONDS, INSTANCES), flush=True)
        run.close()


def away():
    postgres, instances = fleet()
    limit, rate, burst = 100, 100.0, 100
    made = key(instances[0], [{"name": "hot", "limit": limit, "per": "1s"}])
    time.sleep(0.5)

    def pids():
        return bench.tree(postgres.process.pid)

    for kind in TRAFFIC:
        run = Load(instances, [made["value"]], 3 * rate, kind)
        run.run(10)
        before, at = run.admitted(), time.monotonic()
        for pid in pids():
            os.kill(pid, signal.SIGSTOP)
        run.run(SECONDS)
        during, seconds = run.admitted() - before, time.monotonic() - at
        for pid in pids():
            os.kill(pid, signal.SIGCONT)
        run.close()
        after = Load(instances, [made["value"]], 0.8 * rate, kind)
        after.run(20)
        sent = sum(count for _, count in after.arrivals)
        print("%-9s away %.0f s: %.2f of the limit admitted; afterwards at 80 %%: %.2f %% refused" % (
            kind, seconds, during / (rate * seconds), (sent - after.admitted()) / sent * 100), flush=True)
        after.close()
        time.sleep(2)


def cost():
    rounds = int(os.environ.get("ROUNDS", "7"))
    seconds = float(os.environ.get("DUR", "3"))
    upstream = bench.start_upstream()
    instance = bench.Instance(None, "--upstream", "http://127.0.0.1:%d" % upstream, environment={"KEYWARD_REQUEST_LOG": "off"})
    free = key(instance, [])["value"]
    limits = [{"name": n, "limit": 10 ** 9, "per": p} for n, p in (("second", "1s"), ("minute", "1m"), ("hour", "1h"))]
    limited = key(instance, limits)["value"]
    ratios = {}
    for connections in (64, 1000):
        for _ in range(rounds):
            costs = []
            for token in (free, limited):
                before = bench.cpu_seconds(instance.process.pid)
                result = subprocess.run(
                    ["wrk", "-t1", "-c%d" % connections, "-d%gs" % seconds, "-H", "X-API-Key: " + token,
                     "http://%s:%d/" % instance.gateway], check=True, capture_output=True, text=True)
                if "Non-2xx" in result.stdout:
                    raise SystemExit(result.stdout)
                done = int(re.search(r"(\d+) requests in", result.stdout).group(1))
                costs.append((bench.cpu_seconds(instance.process.pid) - before) / done * 1e6)
            ratios.setdefault(connections, []).append((costs[1] / costs[0], *costs))
        values = [r[0] for r in ratios[connections]]
        print("%4d connections: %.3f (%.3f to %.3f) of %.1f us; with three limits %.1f us" % (
            connections, statistics.median(values), min(values), max(values),
            statistics.median(r[1] for r in ratios[connections]), statistics.median(r[2] for r in ratios[connections])), flush=True)


def credits():
    rounds = int(os.environ.get("ROUNDS", "20"))
    settings = {"KEYWARD_CREDITS_FIRST_USE": "wait"} if "AWAIT" in os.environ else {}
    postgres, instances = fleet(**settings)
    worst = 0
    for number in range(rounds):
        balance = random.choice((500, 5_000, 50_000))
        made = key(instances[0], [], credits={"remaining": balance})
        time.sleep(0.3)
        run = Load(instances, [made["value"]], balance / 2, "even", connections=max(1, 1000 // 8 // INSTANCES))
        run.run(3)
        victim = random.randrange(INSTANCES)
        instances[victim].process.kill()
        instances[victim].process.wait()
        for connection in run.connections[victim]:
            connection.socket.close()
        dead = run.connections.pop(victim)
        owed = run.owed.pop(victim)
        run.burst_ends.pop()
        run.arrivals = []
        base = run.count()
        run.arrivals.append((time.monotonic(), base))
        run.run(3)
        spent = run.admitted() + sum(c.admitted for c in dead)
        time.sleep(6)  # Leases are given back after their hold.
        remaining = int(value(postgres, "SELECT remaining FROM auth_key_credits WHERE key_id = '%s'" % made["id"]))
        over = spent + remaining - balance
        worst = max(worst, over)
        print("round %2d: %6d credits, %6d spent, %6d remaining, %+d" % (number, balance, spent, remaining, over), flush=True)
        run.close()
        instances[victim] = bench.Instance(
            postgres.database, environment={"KEYWARD_THREADS": "1", "KEYWARD_REQUEST_LOG": "off", **settings})
    print("over-spent at most: %d" % worst)


if __name__ == "__main__":
    commands = {f.__name__: f for f in (accuracy, statements, away, cost, credits)}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    sys.exit(commands[sys.argv[1]]())
