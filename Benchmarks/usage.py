#!/usr/bin/env python3
"""Lets many instances count the use of many keys at once; afterwards the database must contain every request exactly once.

Usage: usage.py
Environment: INSTANCES (8), KEYS (100000), REQUESTS (800000), SEED.
SQL creates the keys. Pipelined requests go to all instances at once, each with a random key. Then the instances are stopped,
one of them in the middle of the load. Exits with 1 if a sum differs or PostgreSQL detected a deadlock.
"""
import hashlib
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import time
import zlib

import keyward_bench as bench

INSTANCES = int(os.environ.get("INSTANCES", "8"))
KEYS = int(os.environ.get("KEYS", "100000"))
REQUESTS = int(os.environ.get("REQUESTS", "800000"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 1_000_000)))
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BURST = 64


def base62(number, width):
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def token(number):
    body = "kw_" + base62(int.from_bytes(hashlib.sha256(b"usage %d" % number).digest(), "big"), 43)
    return body + base62(zlib.crc32(body.encode()), 6)


def query(database, statement):
    command = [bench.postgres_program("psql"), "-qXAt", "-d", database, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def load(address, count, seed, results):
    """Sends requests in bursts; reports the number of admitted requests, and of those without a response."""
    draw = random.Random(seed)
    admitted, unknown = 0, 0
    client = socket.create_connection(address)
    client.settimeout(30)
    try:
        while count > 0:
            burst, responses = min(BURST, count), b""
            client.sendall(b"".join(
                b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: usage/1\r\nX-API-Key: %s\r\n\r\n" % token(draw.randrange(KEYS)).encode()
                for _ in range(burst)))
            while responses.count(b"\r\n\r\nok") < burst:
                chunk = client.recv(1 << 16)
                if not chunk:
                    raise ConnectionError
                responses += chunk
            admitted += responses.count(b"HTTP/1.1 200")
            count -= burst
    except (OSError, ConnectionError):
        # The instance was stopped: some requests without a response may have been admitted.
        admitted += responses.count(b"HTTP/1.1 200")
        unknown = burst - responses.count(b"HTTP/1.1 200")
    results.put((admitted, unknown))


def create_keys(database):
    """Creates keys with the tokens that `token` returns."""
    path = os.path.join(bench.FOLDER, "keys.csv")
    with open(path, "w") as file:
        for number in range(KEYS):
            file.write("%032x,\\x%s,%s\n" % (number + 1, hashlib.sha256(token(number).encode()).hexdigest(), token(number)[-4:]))
    os.chmod(path, 0o644)
    script = os.path.join(bench.FOLDER, "keys.sql")
    with open(script, "w") as file:
        file.write("""
            CREATE TEMP TABLE made (id uuid, digest bytea, last_four text);
            \\copy made FROM '%s' CSV
            INSERT INTO auth_keys (id, name) SELECT id, 'usage' FROM made;
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four) SELECT digest, id, 'kw', last_four FROM made;
        """ % path)
    subprocess.run([bench.postgres_program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", script], check=True)


def main():
    upstream = ["--upstream", "http://127.0.0.1:%d" % start_upstream(), "--usage-interval", "1s", "--threads", "1"]
    first = bench.Instance(None, *upstream)
    database = bench.private_database()
    start = time.time()
    create_keys(database)
    print("%d keys created in %.1f s" % (KEYS, time.time() - start))
    instances = [first] + [bench.Instance(database, *upstream) for _ in range(INSTANCES - 1)]
    results = multiprocessing.Queue()
    clients = []
    start = time.time()
    for number, instance in enumerate(instances):
        client = multiprocessing.Process(
            target=load, args=(instance.gateway, REQUESTS // INSTANCES, SEED + number, results))
        client.start()
        clients.append(client)
    time.sleep(2)
    if len(instances) > 1:
        instances[-1].process.send_signal(signal.SIGTERM)
    reports = [results.get() for _ in clients]
    sent, unknown = sum(report[0] for report in reports), sum(report[1] for report in reports)
    seconds = time.time() - start
    for client in clients:
        client.join()
    for instance in instances[1:]:
        instance.process.send_signal(signal.SIGTERM)
    for instance in instances[1:]:
        instance.process.wait(60)
    # The first instance runs the database, so the query runs before it stops.
    deadline = time.time() + 20
    while True:
        sums = query(database, """
            SELECT (SELECT sum(requests) FROM auth_key_usage), (SELECT sum(requests) FROM auth_key_secret_usage),
                (SELECT sum(requests) FROM auth_key_usage_days), (SELECT count(*) FROM auth_key_usage WHERE requests > 0),
                (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())
        """).split("|")
        if sums[0] and int(sums[0]) >= sent or time.time() > deadline:
            break
        time.sleep(0.5)
    by_key, by_secret, by_day, used, deadlocks = map(int, sums)
    print("%d requests admitted by %d instances in %.1f s (%d per second), %d without a response when one was stopped, seed %d" % (
        sent, INSTANCES, seconds, sent / seconds, unknown, SEED))
    print("recorded: %d by key, %d by secret, %d by day; %d keys used; %d deadlocks" % (by_key, by_secret, by_day, used, deadlocks))
    raise SystemExit(0 if by_key == by_secret == by_day and sent <= by_key <= sent + unknown and deadlocks == 0 else 1)


def start_upstream():
    """Starts an upstream that responds with ok; returns its port."""
    port = bench.free_port()
    if bench.missing("nginx"):
        raise SystemExit("nginx is missing")
    config = os.path.join(bench.FOLDER, "ok.conf")
    with open(config, "w") as file:
        file.write("""
            worker_processes 1; daemon off; pid %s/ok.pid; error_log stderr crit; worker_rlimit_nofile 4096;
            events { worker_connections 2048; }
            http { access_log off; keepalive_requests 1000000000; server { listen 127.0.0.1:%d reuseport; location / { return 200 "ok"; } } }
        """ % (bench.FOLDER, port))
    bench.start("nginx", "-p", bench.FOLDER, "-c", config, port=port)
    return port


main()
