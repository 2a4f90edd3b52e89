#!/usr/bin/env python3
"""Compares Keyward with nginx, HAProxy and Envoy on the same work, in one run: medians of interleaved rounds.

Usage: gateway.py [small|bodies|connections|tls|million|memory ...]   (all of them by default)

Each gateway has two threads, checks an API key, removes the credential, adds an identity header, and forwards the request to the
same upstream over persistent connections. All traffic is on loopback. Proxies that are not installed are skipped.
Environment: ROUNDS (5), DUR (seconds per measurement, 4), GIB (size of the stream to a slow reader, 2), ENVOY (its binary).
"""
import http.client
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time

import keyward_bench as bench

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = os.environ.get("DUR", "4")
GIBIBYTES = int(os.environ.get("GIB", "2"))
PEERS = os.path.join(bench.ROOT, "Benchmarks/peers")
PEER_KEY = "bench_0123456789012345678901234567890123456789012345678"
MIB, GIB = 1 << 20, 1 << 30

REPORT = """
done = function(summary, latency)
    local errors = summary.errors
    print(string.format('RESULT {"requests":%d,"bytes":%d,"microseconds":%d,"bad":%d,"failed":%d,"p50":%d,"p99":%d}',
        summary.requests, summary.bytes, summary.duration, errors.status, errors.connect + errors.read + errors.write
        + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


class Server:
    """A gateway under test."""

    def __init__(self, name, process, port, key, tls_port=None):
        self.name, self.pids, self.port, self.tls_port = name, [process.pid], port, tls_port
        self.credential = "Bearer " + key

    def cpu_seconds(self):
        return sum(map(bench.cpu_seconds, self.pids))

    def resident_megabytes(self):
        return sum(map(bench.resident_megabytes, self.pids))

    def url(self, path, tls=False):
        return "http%s://127.0.0.1:%d%s" % ("s" if tls else "", self.tls_port if tls else self.port, path)


class Testbed:
    """The upstreams, the other proxies, and a private PostgreSQL for Keyward."""

    def __init__(self, peers=True):
        chain, key = bench.certificate()
        bundle = bench.FOLDER + "/bundle.pem"
        with open(bundle, "w") as file:
            file.write(open(chain).read() + open(key).read())
        self.values = {
            "FOLDER": bench.FOLDER, "KEY": PEER_KEY, "CERTIFICATE": chain, "CERTIFICATE_KEY": key,
            "CERTIFICATE_BUNDLE": bundle, "UPSTREAM": bench.free_port(),
        }
        os.mkdir(bench.FOLDER + "/files")
        for name, size in (("1m", MIB), ("100m", 100 * MIB)):
            with open("%s/files/%s" % (bench.FOLDER, name), "wb") as file:
                file.write(os.urandom(MIB) * (size // MIB))
        self.values["SINK"] = bench.start_upstream()
        self.nginx("upstream.nginx.conf", self.values["UPSTREAM"])
        self.keeper = bench.Instance()
        self.database = bench.private_database()
        self.key = self.keeper.admin("POST", body={"name": "benchmark"})["value"]
        self.servers = [*(self.peers() if peers else ()), self.keyward("keyward", self.database, self.key)]

    def config(self, name, **values):
        """Fills in the placeholders of a file in `peers`, and returns the path of the result."""
        values = {**self.values, **values}
        with open(os.path.join(PEERS, name)) as file:
            text = re.sub("@([A-Z_]+)@", lambda match: str(values[match.group(1)]), file.read())
        path = os.path.join(bench.FOLDER, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def nginx(self, name, port, **values):
        path = self.config(name, PORT=port, **values)
        return bench.start("nginx", "-e", "stderr", "-p", bench.FOLDER, "-c", path, port=port)

    def peers(self):
        envoy = os.environ.get("ENVOY", "envoy")
        commands = {
            "nginx": lambda port, tls: self.nginx("nginx.conf", port, TLS_PORT=tls),
            "haproxy": lambda port, tls: bench.start(
                "haproxy", "-db", "-f", self.config("haproxy.cfg", PORT=port, TLS_PORT=tls), port=port),
            envoy: lambda port, tls: bench.start(
                envoy, "-c", self.config("envoy.yaml", PORT=port, TLS_PORT=tls), "--concurrency", "2", "-l", "error",
                "--disable-hot-restart", port=port),
        }
        for program, command in commands.items():
            if bench.missing(program):
                print("%s is not installed and is skipped" % program)
                continue
            port, tls = bench.free_port(), bench.free_port()
            yield Server(os.path.basename(program), command(port, tls), port, PEER_KEY, tls)

    def keyward(self, name, database, key, *arguments):
        """Starts an instance without its own PostgreSQL, so that only the gateway is measured."""
        instance = bench.Instance(
            database, "--threads", "2", "--upstream", "http://127.0.0.1:%d" % self.values["UPSTREAM"],
            "--route", "/sink=http://127.0.0.1:%d" % self.values["SINK"], *arguments)
        port = instance.gateway[1]
        server = Server(name, instance.process, port, key, port)
        server.instance = instance
        return server

    def keyward_with_tls(self):
        chain, key = bench.certificate()
        return self.keyward(
            "keyward", self.database, self.key, "--gateway-certificate-file", chain, "--gateway-key-file", key)


def wrk(server, path, connections, script="", tls=False):
    """Puts load on a server and returns the result; `cpu` is in seconds."""
    name = bench.FOLDER + "/wrk.lua"
    with open(name, "w") as file:
        file.write(script + REPORT)
    before = server.cpu_seconds()
    out = subprocess.run(
        ["wrk", "-t1", "-c%d" % connections, "-d%ss" % SECONDS, "--timeout", "30s", "-s", name, "-H",
         "Authorization: " + server.credential, server.url(path, tls)],
        capture_output=True, text=True, check=True).stdout
    result = json.loads(re.search("RESULT (.*)", out).group(1))
    result["cpu"] = server.cpu_seconds() - before
    return result


def interleave(servers, measure):
    """Measures all servers in turn for several rounds; returns a list of samples for each."""
    samples = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            samples[server.name].append(measure(server))
    return samples


def table(title, samples, columns):
    """Prints medians, and sums for errors. A column has a heading, a format, and a function of a sample."""
    print("\n%s (load average %.1f)" % (title, os.getloadavg()[0]))
    print("%-22s" % "" + "".join("%14s" % heading for heading, _, _ in columns))
    for name, results in samples.items():
        cells = [
            form % (sum if heading in ("bad", "failed") else statistics.median)([show(result) for result in results])
            for heading, form, show in columns
        ]
        print("%-22s" % name + "".join("%14s" % cell for cell in cells), flush=True)


def requests_table(title, samples):
    table(title, samples, [
        ("req/s", "%.0f", lambda r: r["requests"] * 1e6 / r["microseconds"]),
        ("CPU us/req", "%.1f", lambda r: r["cpu"] * 1e6 / max(r["requests"], 1)),
        ("p50 ms", "%.2f", lambda r: r["p50"] / 1000),
        ("p99 ms", "%.2f", lambda r: r["p99"] / 1000),
        ("bad", "%d", lambda r: r["bad"]),
        ("failed", "%d", lambda r: r["failed"]),
        ("RSS MB", "%.0f", lambda r: r["resident"]),
    ])


def requests(title, servers, path="/", connections=64, script="", tls=False):
    samples = interleave(servers, lambda server: sized(server, path, connections, script, tls))
    requests_table(title, samples)


def sized(server, *load):
    """Returns the result of a load, with the resident memory of the server."""
    return {**wrk(server, *load), "resident": server.resident_megabytes()}


def small(testbed):
    for connections in (64, 1000):
        requests("small response, %d persistent connections" % connections, testbed.servers, connections=connections)


def connections(testbed):
    requests("small response, a new connection for each request, 64 at a time", testbed.servers,
             script='wrk.headers["Connection"] = "close"\n')


def tls(testbed):
    keyward = testbed.keyward_with_tls()
    requests("small response over TLS, 64 persistent connections", [*testbed.servers[:-1], keyward], tls=True)
    bench.stop(keyward.instance.process)


def upload(server, size, count, parallel=2):
    """Uploads from `parallel` concurrent connections, directly from a file."""
    path = "%s/files/100m" % bench.FOLDER
    bad = []

    def run():
        with socket.create_connection(("127.0.0.1", server.port)) as connection, open(path, "rb") as file:
            for _ in range(count // parallel):
                connection.sendall((
                    "POST /sink/ HTTP/1.1\r\nHost: benchmark\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n"
                    % (server.credential, size)).encode())
                connection.sendfile(file, 0, size)
                response = http.client.HTTPResponse(connection)
                response.begin()
                response.read()
                if response.status != 200:
                    bad.append(response.status)

    before, began = server.cpu_seconds(), time.perf_counter()
    threads = [threading.Thread(target=run) for _ in range(parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "microseconds": (time.perf_counter() - began) * 1e6, "bytes": size * count, "bad": len(bad), "failed": 0,
        "cpu": server.cpu_seconds() - before,
    }


def bodies(testbed):
    work = [
        ("responses of 1 MiB, 8 connections", lambda server: wrk(server, "/files/1m", 8)),
        ("responses of 100 MiB, 4 connections", lambda server: wrk(server, "/files/100m", 4)),
        ("uploads of 1 MiB, 2 connections", lambda server: upload(server, MIB, 2000)),
        ("uploads of 100 MiB, 2 connections", lambda server: upload(server, 100 * MIB, 20)),
    ]
    for title, measure in work:
        table(title, interleave(testbed.servers, measure), [
            ("MB/s", "%.0f", lambda r: r["bytes"] / r["microseconds"]),
            ("CPU s/GiB", "%.2f", lambda r: r["cpu"] * GIB / max(r["bytes"], 1)),
            ("bad", "%d", lambda r: r["bad"]),
            ("failed", "%d", lambda r: r["failed"]),
        ])


INSERT_MILLION = """
WITH input AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, number, clock_timestamp() AS at FROM generate_series(1, 1000000) AS number
), keys AS (
    INSERT INTO auth_keys (id, name, owner, created_at, updated_at)
    SELECT id, 'key ' || number, 'owner ' || number % 1000, at, at FROM input
)
INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
SELECT sha256(uuid_send(id)), id, 'kw', '0000', at FROM input;
"""

# Prepared requests with many keys in turn. All requests differ, so that wrk does the same work with a single key.
IN_TURN = """
local requests, turn = {}, 0
init = function()
    for key in io.lines("%s") do
        requests[#requests + 1] = wrk.format("GET", "/?" .. #requests, { Host = "benchmark", Authorization = "Bearer " .. key })
    end
end
request = function()
    turn = turn %% #requests + 1
    return requests[turn]
end
"""


def million(testbed):
    bench.sql(testbed.database, "CREATE DATABASE million")
    database = bench.private_database("million")
    environment = {**os.environ, "KEYWARD_DATABASE_URL": database}
    environment.pop("KEYWARD", None)
    subprocess.run([bench.KEYWARD, "migrate", "up"], env=environment, check=True, capture_output=True)
    bench.sql(database, INSERT_MILLION, "VACUUM ANALYZE", "CHECKPOINT")
    began = time.time()
    server = testbed.keyward("a million keys", database, key="")
    print("\na million keys: started in %.1f s" % (time.time() - began))
    admin = http.client.HTTPConnection(*server.instance.control)
    keys = [server.instance.admin("POST", body={"name": "used %d" % number}, connection=admin)["value"]
            for number in range(5000)]
    server.credential = "Bearer " + keys[0]
    for name, list_ in (("one", [testbed.key] * len(keys)), ("first", keys[:1] * len(keys)), ("used", keys)):
        with open("%s/%s.keys" % (bench.FOLDER, name), "w") as file:
            file.writelines(key + "\n" for key in list_)
    one = testbed.keyward("one key", testbed.database, testbed.key)
    work = {"one key": (one, "one"), "a million, one used": (server, "first"), "a million, 5000 used": (server, "used")}
    samples = {name: [] for name in work}
    for number in range(ROUNDS):
        for name in work if number % 2 else reversed(work):
            gateway, list_ = work[name]
            result = wrk(gateway, "/", 64, IN_TURN % ("%s/%s.keys" % (bench.FOLDER, list_)))
            result["resident"] = gateway.resident_megabytes()
            samples[name].append(result)
    requests_table("one key compared with a million, 64 persistent connections", samples)
    for gateway in (one, server):
        bench.stop(gateway.instance.process)


def idle(server, count=1000):
    """Returns the resident megabytes before and with `count` idle connections, after one request on each."""
    before = server.resident_megabytes()
    request = ("GET / HTTP/1.1\r\nHost: benchmark\r\nAuthorization: %s\r\n\r\n" % server.credential).encode()
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    for connection in connections:
        connection.sendall(request)
    bad = sum(not connection.recv(4096).startswith(b"HTTP/1.1 200") for connection in connections)
    time.sleep(1)
    after = server.resident_megabytes()
    for connection in connections:
        connection.close()
    return {"before": before, "after": after, "bad": bad}


def slow_stream(server, megabytes_a_second=250):
    """Reads a long stream more slowly than the server could send it; returns samples of the resident megabytes."""
    samples = []
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(("GET /sink/stream/%d HTTP/1.1\r\nHost: benchmark\r\nAuthorization: %s\r\n\r\n" % (
            GIBIBYTES * 1024, server.credential)).encode())
        chunk, received, began, sampled = bytearray(1 << 18), 0, time.time() + 2, 0
        time.sleep(2)  # All buffers on the path fill up.
        while received < GIBIBYTES * GIB:
            count = connection.recv_into(chunk)
            if not count:
                raise SystemExit("%s: the stream ended after %d bytes" % (server.name, received))
            received += count
            if time.time() - sampled > 0.2:
                sampled = time.time()
                samples.append(server.resident_megabytes())
            time.sleep(max(0, began + received / megabytes_a_second / 1e6 - time.time()))
    return samples


def memory(testbed):
    fresh = testbed.keyward("keyward", testbed.database, testbed.key)
    servers = [*testbed.servers[:-1], fresh]
    table("resident memory, 1000 idle connections after one request each", {s.name: [idle(s)] for s in servers}, [
        ("at first MB", "%.1f", lambda r: r["before"]),
        ("with them MB", "%.1f", lambda r: r["after"]),
        ("bad", "%d", lambda r: r["bad"]),
    ])
    samples = slow_stream(fresh)
    print("\nresident memory of Keyward while %d GiB stream to a slow reader: at first %.1f MB, halfway %.1f, at the end %.1f, "
          "at most %.1f" % (GIBIBYTES, samples[0], samples[len(samples) // 2], samples[-1], max(samples)))
    bench.stop(fresh.instance.process)


SECTIONS = {section.__name__: section for section in (small, bodies, connections, tls, million, memory)}


def main():
    chosen = sys.argv[1:] or list(SECTIONS)
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        raise SystemExit("unknown section: %s; available sections: %s" % (", ".join(unknown), ", ".join(SECTIONS)))
    absent = bench.missing("nginx", "wrk", "openssl")
    if absent:
        raise SystemExit("missing: " + ", ".join(absent))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    testbed = Testbed()
    for name in chosen:
        SECTIONS[name](testbed)


if __name__ == "__main__":
    main()
