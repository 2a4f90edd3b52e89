#!/usr/bin/env python3
"""Measures heap allocations per request, and exits with 1 if one exceeds its ceiling in allocations.json.

Usage: allocations.py

Keyward runs with one thread and malloc_count.c preloaded, in front of an upstream in Python. After a warm-up, a simple client
sends requests one after another. The allocations of an idle Keyward are measured too, and subtracted.
Environment: REQUESTS (of each kind, 10000).
"""
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time

import keyward_bench as bench

REQUESTS = int(os.environ.get("REQUESTS", "10000"))
FOLDER = os.path.join(bench.ROOT, "Benchmarks")
COUNTER = bench.FOLDER + "/malloc_count.so"


class Counted:
    """An instance whose allocations are counted."""

    number = 0

    def __init__(self, database, upstream, *arguments):
        Counted.number += 1
        self.count_file = "%s/allocations-%d" % (bench.FOLDER, Counted.number)
        with open(self.count_file, "wb") as file:
            file.write(bytes(8))
        self.instance = bench.Instance(
            database, "--threads", "1", "--upstream", "http://127.0.0.1:%d" % upstream, *arguments,
            environment={"LD_PRELOAD": COUNTER, "MALLOC_COUNT_FILE": self.count_file,
                         # Attempts are counted, and none is refused.
                         "KEYWARD_FAILED_ATTEMPTS": "1000000/1s"})
        if not self.count():
            raise SystemExit("no allocations are counted: Keyward must be linked dynamically with glibc")
        time.sleep(1)
        before, began = self.count(), time.time()
        time.sleep(2)
        self.idle_rate = (self.count() - before) / (time.time() - began)

    def count(self):
        with open(self.count_file, "rb") as file:
            return struct.unpack("<Q", file.read(8))[0]

    def per_request(self, run, requests=REQUESTS):
        """Returns the allocations per request of `run(n)`, which sends n requests."""
        run(max(requests // 10, 1))
        before, began = self.count(), time.time()
        run(requests)
        return (self.count() - before - self.idle_rate * (time.time() - began)) / requests


class Client:
    """A client that sends the same request repeatedly over one connection."""

    def __init__(self, address, request, status, tls=False):
        self.connection = socket.create_connection(address)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl._create_unverified_context()
            self.connection = context.wrap_socket(self.connection)
        self.request, self.status = request, b"HTTP/1.1 %d " % status

    def __call__(self, count):
        for _ in range(count):
            self.connection.sendall(self.request)
            self.read()

    def read(self):
        response = self.connection.recv(65536)
        while b"\r\n\r\n" not in response:
            response += self.more()
        if not response.startswith(self.status):
            raise SystemExit("unexpected response: %r" % response)
        end = response.index(b"\r\n\r\n")
        head = response[:end].lower()
        start = head.index(b"content-length: ") + 16
        length = end + 4 + int(head[start:].split(b"\r", 1)[0])
        while len(response) < length:
            response += self.more()

    def more(self):
        part = self.connection.recv(65536)
        if not part:
            raise SystemExit("the connection was closed")
        return part


def http2(address, key):
    """Returns a function that sends requests over one HTTP/2 connection with curl; None if curl lacks HTTP/2."""
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True)
    if " HTTP2" not in version.stdout:
        return None

    def run(count):
        out = subprocess.run(
            ["curl", "-sSk", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}\n", "-H",
             "Authorization: Bearer " + key, "https://127.0.0.1:%d/[1-%d]" % (address[1], count)],
            capture_output=True, text=True).stdout
        if out != "2 200\n" * count:
            raise SystemExit("unexpected responses over HTTP/2: " + out[:200])

    return run


def requests(key):
    head = "Host: benchmark\r\nUser-Agent: benchmark\r\nAccept: */*\r\nAuthorization: Bearer %s\r\n"
    valid, unknown = head % key, head % (key[:-1] + ("0" if key[-1] != "0" else "1"))
    return (
        ("GET / HTTP/1.1\r\n%s\r\n" % valid).encode(),
        ("POST / HTTP/1.1\r\n%sContent-Length: 1024\r\n\r\n%s" % (valid, "x" * 1024)).encode(),
        ("GET / HTTP/1.1\r\n%s\r\n" % unknown).encode(),
    )


def measure():
    """Returns the allocations per request, by kind of request."""
    upstream = bench.start_upstream()
    keeper = bench.Instance()
    key = keeper.admin("POST", body={"name": "benchmark"})["value"]
    database = bench.private_database()
    get, post, refused = requests(key)
    plain = Counted(database, upstream)
    address = plain.instance.gateway
    measured = {
        "GET": plain.per_request(Client(address, get, 200)),
        "POST of 1 KiB": plain.per_request(Client(address, post, 200)),
        "refused": plain.per_request(Client(address, refused, 401)),
    }
    if not bench.missing("openssl"):
        chain, private = bench.certificate()
        secure = Counted(database, upstream, "--gateway-certificate-file", chain, "--gateway-key-file", private)
        address = secure.instance.gateway
        measured["GET over TLS"] = secure.per_request(Client(address, get, 200, tls=True))
        run = None if bench.missing("curl") else http2(address, key)
        if run:
            measured["GET over HTTP/2"] = secure.per_request(run, min(REQUESTS, 2000))
    return measured


def main():
    if bench.missing("cc"):
        raise SystemExit("missing: cc, a C compiler")
    if not os.access(bench.KEYWARD, os.X_OK):
        raise SystemExit("missing: %s (make release)" % bench.KEYWARD)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", COUNTER, FOLDER + "/malloc_count.c"], check=True)
    with open(FOLDER + "/allocations.json") as file:
        ceilings = json.load(file)
    measured = measure()
    print("%-18s %14s %10s" % ("", "allocations", "ceiling"))
    exceeded = False
    for kind, ceiling in ceilings.items():
        if kind not in measured:
            print("%-18s %14s %10g   (openssl or a curl with HTTP/2 is missing)" % (kind, "-", ceiling))
            continue
        too_many = measured[kind] > ceiling
        exceeded = exceeded or too_many
        print("%-18s %14.2f %10g%s" % (kind, measured[kind], ceiling, "   EXCEEDED" if too_many else ""))
    sys.exit(1 if exceeded else 0)


if __name__ == "__main__":
    main()
