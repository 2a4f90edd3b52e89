#!/usr/bin/env python3
"""Puts mixed load on a gateway whose upstream misbehaves; exits with 1 if there is a violation.

Usage: mixed_load.py

Every response repeats a value of its request, which reveals a response to the wrong client. Bodies are compared by their hashes.
Keys are created and revoked all the time. The upstream resets connections, and is killed and restarted. A request may fail only
if it overlaps such a restart or requests a reset. At the end the gateway must have no requests in flight, no additional file
descriptors, no additional memory, and no secret in its log.
Environment: SECONDS_TOTAL (600), SCALE (factor of the number of clients, 1), TLS (1 for clients over TLS), SEED.
"""
import asyncio
import base64
import binascii
import collections
import contextvars
import hashlib
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import ssl
import statistics
import struct
import sys
import time

import keyward_bench as bench

SECONDS = float(os.environ.get("SECONDS_TOTAL", "600"))
SCALE = float(os.environ.get("SCALE", "1"))
TLS = os.environ.get("TLS") == "1"
SEED = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
UPSTREAM = os.path.join(bench.ROOT, "Benchmarks/peers/mixed_upstream.py")
TABLE = random.Random(1).randbytes(1 << 20)
# The log must never contain a part of a token, the admin key, or other values of requests.
SECRET = re.compile("kw_[0-9A-Za-z]{5}|canary|" + bench.ADMIN_KEY)
EXPECTED_WARNINGS = {"upstream failed"}
# The time in seconds after a restart in which it may still cause a failure.
GRACE = 1.0
# The time in seconds that a stream may continue after the revocation of its key, with a margin for this script.
CUT_WITHIN = 1.3
# The timeout in seconds of one unit of work.
HANGS_AFTER = 40
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


# The time of the current client's last request, as the only element of a list.
ASKED = contextvars.ContextVar("asked")


class Broken(Exception):
    """The connection ended before the response did."""


class Violation(Exception):
    """A violation of a guarantee."""


class Key:
    """A key."""

    def __init__(self, made):
        self.id, self.value, self.name = made["id"], made["value"], made["name"]
        self.revocation_began = self.revoked = None


class Reply:
    def __init__(self, status, fields, body=b""):
        self.status, self.fields, self.body = status, fields, body


class Client:
    """A connection to the gateway."""

    @classmethod
    async def open(cls, load, slow=False):
        client = cls()
        client.load = load
        client.socket = socket.socket()
        client.socket.setblocking(False)
        if slow:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        await asyncio.get_running_loop().sock_connect(client.socket, load.gateway)
        client.reader, client.writer = await asyncio.open_connection(
            sock=client.socket, limit=65536, ssl=load.tls, server_hostname="localhost" if load.tls else None)
        return client

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.close()

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        self.writer.close()

    def write(self, method, path, key=None, fields=(), body=b""):
        ASKED.get()[0] = time.time()
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: mixed", *fields]
        if key:
            lines.append(("Authorization: Bearer %s" if random.random() < 0.7 else "X-API-Key: %s") % key)
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def head(self):
        """Returns the head of the next final response."""
        try:
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken("no head: %r" % error) from error
        first, *lines = text[:-4].split("\r\n")
        fields = {}
        for line in lines:
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        return Reply(int(first.split(" ")[1]), fields)

    async def chunks(self, reply):
        """Yields the body in chunks."""
        try:
            if "content-length" in reply.fields:
                left = int(reply.fields["content-length"])
                while left:
                    chunk = await self.reader.read(min(left, 65536))
                    if not chunk:
                        raise Broken("%d bytes short" % left)
                    left -= len(chunk)
                    yield chunk
            elif reply.fields.get("transfer-encoding") == "chunked":
                while True:
                    size = int(await self.reader.readuntil(b"\r\n"), 16)
                    chunk = (await self.reader.readexactly(size + 2))[:-2]
                    if not size:
                        return
                    yield chunk
            elif reply.status not in (101, 204, 304):
                while chunk := await self.reader.read(65536):
                    yield chunk
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken("in the body: %r" % error) from error

    async def reply(self):
        reply = await self.head()
        body = bytearray()
        async for chunk in self.chunks(reply):
            body += chunk
        reply.body = bytes(body)
        return reply

    async def drain(self):
        try:
            await self.writer.drain()
        except OSError as error:
            raise Broken("cannot send: %r" % error) from error


def token(prefix="kw"):
    """Returns a well-formed token that was never issued."""
    text = prefix + "_" + "".join(random.choices(DIGITS, k=43))
    checksum = binascii.crc32(text.encode())
    tail = ""
    for _ in range(6):
        checksum, digit = divmod(checksum, 62)
        tail = DIGITS[digit] + tail
    return text + tail


class Load:
    def __init__(self, keyward, upstream_port):
        self.keyward = keyward
        self.gateway = keyward.gateway
        self.tls = ssl.create_default_context(cafile=bench.certificate()[0]) if TLS else None
        self.upstream_port = upstream_port
        self.counts = collections.Counter()
        self.excused = collections.Counter()
        self.violations = []
        self.restarts = []
        self.keys = []
        self.ended = collections.deque(maxlen=500)
        self.stopping = False
        self.serial = 0
        self.longest_cut = 0.0

    def disturbed(self, asked):
        """Returns true if the upstream was unavailable at some time since then, or had just restarted."""
        return any(end is None or end + GRACE >= asked for _, end in self.restarts)

    def violation(self, text):
        self.violations.append("%.1f s: %s" % (time.time() - self.began, text))
        print("VIOLATION", self.violations[-1], file=sys.stderr, flush=True)

    def canary(self):
        self.serial += 1
        return "canary%08d%s" % (self.serial, "".join(random.choices(DIGITS, k=12)))

    def expect_ok(self, reply, what, status=200):
        if reply.status == status:
            return
        if reply.status in (502, 504):
            raise Broken("%d" % reply.status)
        raise Violation("%s: status %d, %r" % (what, reply.status, reply.body[:200]))

    # The kinds of clients. Each call does one unit of work.

    async def echoes(self):
        """Sends small requests on one connection, some pipelined; each response must match its request and its key."""
        async with await Client.open(self) as client:
            for _ in range(random.randint(1, 30)):
                asked = [(random.choice(self.keys), self.canary()) for _ in range(random.choice((1, 1, 1, 2, 5, 16)))]
                for key, canary in asked:
                    path = "/echo/%s?size=%d&%s" % (
                        canary, random.choice((0, 10, 500, 20000)), random.choice(("chunked", "length")))
                    client.write("GET", path, key.value, ("X-Canary: " + canary, "X-Keyward-Key-Id: forged"))
                await client.drain()
                for key, canary in asked:
                    reply = await client.reply()
                    if reply.status in (502, 504) and self.disturbed(ASKED.get()[0]):
                        # The connection stays usable.
                        self.excused["echoes"] += 1
                        continue
                    self.expect_ok(reply, "echo")
                    self.check_echo(reply, key, canary)
                    self.counts["echo"] += 1
                if reply.fields.get("connection", "").lower() == "close":
                    return

    def check_echo(self, reply, key, canary):
        if reply.fields.get("x-canary") != canary:
            raise Violation("crossed responses: request %s, head of %s" % (canary, reply.fields.get("x-canary")))
        seen = json.loads(reply.body)
        if seen["canary"] != canary or seen["path"] != "/echo/" + canary:
            raise Violation("crossed responses: request %s, body of %s %s" % (canary, seen["canary"], seen["path"]))
        if seen["key"] != [key.id] or seen["name"] != [key.name]:
            raise Violation("wrong identity: key %s, received as %s" % (key.id, seen["key"]))
        if seen["credentials"]:
            raise Violation("the upstream received a credential in %s" % seen["credentials"])

    async def uploads(self, slow=False):
        """Sends bodies of any size, with and without a length; the upstream responds with their hash."""
        async with await Client.open(self) as client:
            for _ in range(random.randint(1, 4)):
                key, canary = random.choice(self.keys), self.canary()
                body = random.randbytes(int(2 ** random.uniform(0, 14 if slow else 21)))
                fields = ["X-Canary: " + canary]
                chunked = random.random() < 0.5
                fields.append("Transfer-Encoding: chunked" if chunked else "Content-Length: %d" % len(body))
                client.write("POST", "/upload/" + canary, key.value, fields)
                step = max(len(body) // 10 + 1, 1) if slow else random.choice((1000, 65536, 1 << 20))
                for start in range(0, len(body), step):
                    chunk = body[start:start + step]
                    client.writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
                    if slow:
                        await asyncio.sleep(random.uniform(0, 0.2))
                    await client.drain()
                if chunked:
                    client.writer.write(b"0\r\n\r\n")
                reply = await client.reply()
                self.expect_ok(reply, "upload")
                seen = json.loads(reply.body)
                if seen["canary"] != canary or reply.fields.get("x-canary") != canary:
                    raise Violation("crossed responses: upload %s, response to %s" % (canary, seen["canary"]))
                if seen["sha256"] != hashlib.sha256(body).hexdigest():
                    raise Violation("an upload of %d bytes was corrupted (%d arrived)" % (len(body), seen["bytes"]))
                if reply.fields.get("connection", "").lower() == "close":
                    return
                self.counts["slow upload" if slow else "upload"] += 1

    async def slow_uploads(self):
        await self.uploads(slow=True)

    async def downloads(self, slow=False):
        """Reads large responses and compares their hashes."""
        async with await Client.open(self, slow) as client:
            for _ in range(1 if slow else random.randint(1, 3)):
                size, offset = int(2 ** random.uniform(10, 21 if slow else 23)), random.randrange(len(TABLE))
                client.write("GET", "/download/%d/%d" % (size, offset), random.choice(self.keys).value)
                reply = await client.head()
                self.expect_ok(reply, "download")
                digest, count = hashlib.sha256(), 0
                async for chunk in client.chunks(reply):
                    digest.update(chunk)
                    count += len(chunk)
                    if slow and random.random() < 0.2:
                        await asyncio.sleep(random.uniform(0, 0.2))
                if count != size or digest.hexdigest() != reply.fields["x-sha256"]:
                    raise Violation("a download was corrupted: %d bytes of %d" % (count, size))
                self.counts["slow download" if slow else "download"] += 1

    async def slow_downloads(self):
        await self.downloads(slow=True)

    async def delays(self):
        """Requests slow responses of the upstream."""
        async with await Client.open(self) as client:
            canary = self.canary()
            client.write("GET", "/slow/%s/%d" % (canary, random.randint(10, 3000)), random.choice(self.keys).value)
            reply = await client.reply()
            self.expect_ok(reply, "slow response")
            if reply.body != canary.encode():
                raise Violation("crossed responses: slow response to %s was %r" % (canary, reply.body[:100]))
            self.counts["slow response"] += 1

    async def events(self):
        """Reads a stream of events; each event must arrive soon after it is sent."""
        async with await Client.open(self) as client:
            canary, count, number = self.canary(), random.randint(1, 40), 0
            client.write("GET", "/events/%s/%d/50" % (canary, count), random.choice(self.keys).value)
            reply = await client.head()
            self.expect_ok(reply, "events")
            text = b""
            async for chunk in client.chunks(reply):
                text += chunk
                while b"\n\n" in text:
                    event, text = text.split(b"\n\n", 1)
                    sent_at = self.check_event(event, canary, number)
                    if time.time() - sent_at > 5:
                        raise Violation("an event arrived %.1f s late" % (time.time() - sent_at))
                    number += 1
            if number != count:
                raise Violation("a stream of %d events ended normally after %d" % (count, number))
            self.counts["event stream"] += 1

    def check_event(self, event, canary, number):
        seen, seen_number, at = event.removeprefix(b"data: ").decode().split(" ")
        if seen != canary or int(seen_number) != number:
            raise Violation("crossed responses: event %s %s in stream %s at %d" % (seen, seen_number, canary, number))
        return float(at)

    async def web_sockets(self):
        """Exchanges messages through a tunnel to an echo server."""
        async with await Client.open(self) as client:
            canary = self.canary()
            await self.upgrade(client, random.choice(self.keys), canary)
            for number in range(random.randint(1, 20)):
                message = ("%s %d " % (canary, number)).encode() + random.randbytes(random.choice((0, 100, 5000)))
                await self.send_frame(client, 2, message)
                if await self.frame(client) != (2, message):
                    raise Violation("crossed responses: the echo of a WebSocket message differs")
                if random.random() < 0.3:
                    await asyncio.sleep(random.uniform(0, 0.3))
            await self.send_frame(client, 8, b"\x03\xe8")
            await self.frame(client)
            self.counts["WebSocket"] += 1

    async def upgrade(self, client, key, canary):
        nonce = base64.b64encode(random.randbytes(16)).decode()
        client.write("GET", "/socket/" + canary, key.value, (
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + nonce))
        reply = await client.head()
        if reply.status != 101:
            async for chunk in client.chunks(reply):
                reply.body += chunk
        self.expect_ok(reply, "upgrade", 101)
        if reply.fields.get("x-canary") != canary:
            raise Violation("crossed responses: upgrade %s" % canary)

    async def send_frame(self, client, kind, message):
        mask = random.randbytes(4)
        head = bytes([0x80 | kind]) + (
            bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + struct.pack(">H", len(message)))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(message))
        client.writer.write(head + mask + masked)
        await client.drain()

    async def frame(self, client):
        try:
            first, length = await client.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", await client.reader.readexactly(2))
            return first & 15, await client.reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken("in a tunnel: %r" % error) from error

    async def leavers(self):
        """Closes connections in the middle of requests, responses and tunnels."""
        async with await Client.open(self) as client:
            key, canary = random.choice(self.keys), self.canary()
            kind = random.randrange(6)
            if kind == 0:
                client.write("GET", "/download/20000000/0", key.value)
                await client.reader.read(random.choice((1, 1000, 1000000)))
            elif kind == 1:
                part = bytes(random.randrange(999999))
                client.write("POST", "/upload/" + canary, key.value, ("Content-Length: 1000000",), part)
                await asyncio.sleep(random.uniform(0, 0.2))
            elif kind == 2:
                client.write("GET", "/events/%s/1000/20" % canary, key.value)
                await asyncio.sleep(random.uniform(0, 1))
            elif kind == 3:
                client.write("GET", "/slow/%s/2000" % canary, key.value)
                await asyncio.sleep(random.uniform(0, 0.5))
            elif kind == 4:
                await self.upgrade(client, key, canary)
                await self.send_frame(client, 2, b"half")
            else:
                client.writer.write(b"GET /echo/" + canary.encode() + b" HTTP/1.1\r\nHost: mi"[:random.randrange(22)])
                await asyncio.sleep(random.uniform(0, 0.5))
            client.close(reset=random.random() < 0.5)
            self.counts["leaver"] += 1

    async def resets(self):
        """Requests responses that the upstream aborts; the client must not see a normal end."""
        async with await Client.open(self) as client:
            canary = self.canary()
            framing = random.choice(("length", "chunked"))
            client.write("GET", "/reset/%s/%s" % (canary, framing), random.choice(self.keys).value)
            try:
                reply = await client.reply()
            except Broken:
                self.counts["reset"] += 1
                return
            if reply.status != 502:
                raise Violation("an aborted %s response ended normally: %d, %d bytes" % (
                    framing, reply.status, len(reply.body)))
            self.counts["reset"] += 1

    async def strangers(self):
        """Sends invalid and revoked keys; each gets 401, and the connection stays usable."""
        async with await Client.open(self) as client:
            for _ in range(random.randint(1, 10)):
                kind = random.randrange(5)
                valid = random.choice(self.keys).value
                if kind == 0:
                    value = valid[:-1] + random.choice([digit for digit in DIGITS if digit != valid[-1]])
                elif kind == 1:
                    value = token()
                elif kind == 2 and self.ended:
                    value = random.choice(self.ended).value
                elif kind == 3:
                    value = "canary-secret-%d" % random.randrange(10 ** 9)
                else:
                    value = None
                with_body = random.random() < 0.3
                client.write("POST" if with_body else "GET", "/echo/stranger", value,
                             ("Content-Length: 5",) if with_body else (), b"hello" if with_body else b"")
                reply = await client.reply()
                if reply.status != 401:
                    raise Violation("an invalid key (kind %d) got %d %r" % (kind, reply.status, reply.body[:200]))
                self.counts["refused"] += 1
                if reply.fields.get("connection", "").lower() == "close":
                    return

    async def revocations(self):
        """Uses and revokes a new key: it works at once; after the revocation, requests fail and streams are cut within a second."""
        key = Key(await self.admin("POST", "", {"name": "short-lived %d" % random.randrange(10 ** 9), "owner": "mixed"}))
        async with await Client.open(self) as kept, await Client.open(self) as stream, await Client.open(self) as tunnel:
            canary = self.canary()
            await self.one_echo(kept, key)
            stream.write("GET", "/events/%s/10000/20" % canary, key.value)
            reply = await stream.head()
            self.expect_ok(reply, "events")
            await self.upgrade(tunnel, key, canary)
            await asyncio.sleep(random.uniform(0, 0.5))
            if random.random() < 0.5:
                await self.one_echo(kept, key)
            await self.admin("POST", "/%s/deactivate" % key.id)
            revoked = time.time()
            self.ended.append(key)
            async with await Client.open(self) as fresh:
                for client in (kept, fresh):
                    client.write("GET", "/echo/revoked", key.value)
                    reply_after = await client.reply()
                    if reply_after.status != 401:
                        raise Violation("a revoked key got %d" % reply_after.status)
            await asyncio.gather(self.is_cut(self.rest(stream, reply), revoked, "stream"),
                                 self.is_cut(self.rest_of_tunnel(tunnel), revoked, "tunnel"))
            self.counts["revocation"] += 1

    async def one_echo(self, client, key):
        canary = self.canary()
        client.write("GET", "/echo/%s?size=10" % canary, key.value, ("X-Canary: " + canary,))
        reply = await client.reply()
        self.expect_ok(reply, "echo with a new key")
        self.check_echo(reply, key, canary)

    async def rest(self, client, reply):
        async for _ in client.chunks(reply):
            pass
        raise Violation("a stream that was cut ended normally")

    async def rest_of_tunnel(self, client):
        while True:
            kind, _ = await self.frame(client)
            if kind == 8:
                return

    async def is_cut(self, work, revoked, what):
        try:
            await asyncio.wait_for(work, max(0.01, CUT_WITHIN - (time.time() - revoked)))
        except Broken:
            pass
        except TimeoutError:
            raise Violation("a %s continued %.1f s after its key was revoked" % (what, time.time() - revoked)) from None
        self.longest_cut = max(self.longest_cut, time.time() - revoked)

    async def admin(self, method, path, body=None):
        return await asyncio.to_thread(self.keyward.admin, method, path, body)

    # Running

    async def client(self, work):
        """Repeats one kind of work."""
        while not self.stopping:
            asked = [time.time()]
            ASKED.set(asked)
            try:
                await asyncio.wait_for(work(), HANGS_AFTER)
            except TimeoutError:
                self.violation("%s: hung" % work.__name__)
            except (Broken, OSError) as error:
                if self.disturbed(asked[0]):
                    self.excused[work.__name__] += 1
                else:
                    self.violation("%s: %s, while the upstream was available" % (work.__name__, error))
            except Violation as error:
                self.violation("%s: %s" % (work.__name__, error))
            await asyncio.sleep(random.uniform(0, 0.05))

    def start_upstream(self):
        return bench.start(sys.executable, UPSTREAM, str(self.upstream_port), port=self.upstream_port)

    async def restarts_of_the_upstream(self):
        while not self.stopping:
            await asyncio.sleep(random.uniform(5, 15))
            window = [time.time(), None]
            self.restarts.append(window)
            self.upstream.send_signal(random.choice((signal.SIGKILL, signal.SIGTERM)))
            await asyncio.to_thread(self.upstream.wait)
            await asyncio.sleep(random.choice((0, 0, 0.5)))
            self.upstream = await asyncio.to_thread(self.start_upstream)
            window[1] = time.time()
            del self.restarts[:-20]

    async def samples_of_memory(self):
        while not self.stopping:
            self.memory.append((time.time() - self.began, bench.resident_megabytes(self.keyward.process.pid)))
            await asyncio.sleep(1)

    def metrics(self):
        connection = http.client.HTTPConnection(*self.keyward.control)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        values = re.findall(r"^(keyward_\w+(?:\{[^}]*\})?) ([\d.e+-]+)$", text, re.M)
        return {name: float(value) for name, value in values}

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.keyward.process.pid))

    async def run(self):
        self.began = time.time()
        self.memory = []
        for number in range(50):
            key = Key(await self.admin("POST", "", {"name": "client %d" % number, "owner": "owner %d" % (number % 7)}))
            self.keys.append(key)
        self.descriptors_at_first = self.descriptors()
        self.upstream = self.start_upstream()
        kinds = {
            self.echoes: 12, self.uploads: 3, self.slow_uploads: 4, self.downloads: 2, self.slow_downloads: 4, self.delays: 4,
            self.events: 6, self.web_sockets: 6, self.leavers: 4, self.resets: 2, self.strangers: 3, self.revocations: 3,
        }
        workers = [
            asyncio.create_task(self.client(work)) for work, count in kinds.items() for _ in range(max(1, round(count * SCALE)))
        ]
        others = [asyncio.create_task(work()) for work in (self.restarts_of_the_upstream, self.samples_of_memory)]
        while time.time() - self.began < SECONDS and self.keyward.process.poll() is None:
            await asyncio.sleep(0.5)
        self.stopping = True
        await asyncio.gather(*workers)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def check_the_end(self):
        """Checks the state of Keyward after all clients have finished."""
        if self.keyward.process.poll() is not None:
            self.violation("Keyward exited with %d" % self.keyward.process.poll())
            return
        # This also closes the connections that Keyward keeps to the upstream.
        self.upstream.kill()
        self.upstream.wait()
        deadline = time.time() + 10
        while True:
            metrics, descriptors = self.metrics(), self.descriptors()
            calm = metrics["keyward_gateway_in_flight"] == 0 and metrics["keyward_gateway_connections"] == 0
            if calm and descriptors <= self.descriptors_at_first + 4 or time.time() > deadline:
                break
            time.sleep(0.5)
        print("at the end: in flight %d, connections %d, file descriptors %d (%d at the start)" % (
            metrics["keyward_gateway_in_flight"], metrics["keyward_gateway_connections"], descriptors,
            self.descriptors_at_first))
        if metrics["keyward_gateway_in_flight"]:
            self.violation("%d requests are still in flight" % metrics["keyward_gateway_in_flight"])
        if metrics["keyward_gateway_connections"]:
            self.violation("%d connections are still open" % metrics["keyward_gateway_connections"])
        if descriptors > self.descriptors_at_first + 4:
            self.violation("%d file descriptors, %d at the start" % (descriptors, self.descriptors_at_first))
        self.check_memory()
        self.check_log()

    def check_memory(self):
        warm = min(60, SECONDS / 2)
        early = statistics.median(size for at, size in self.memory if warm <= at <= warm + 10)
        late = statistics.median(size for at, size in self.memory if at >= self.memory[-1][0] - 10)
        print("resident memory: %.1f MB after %.0f s, %.1f at the end, %.1f at most" % (
            early, warm, late, max(size for _, size in self.memory)))
        if late > early * 1.1:
            self.violation("memory grew from %.1f to %.1f MB" % (early, late))

    def check_log(self):
        messages, leaks = collections.Counter(), 0
        with open(self.keyward.log) as file:
            for line in file:
                leaks += bool(SECRET.search(line))
                try:
                    entry = json.loads(line)
                    messages[entry["level"], entry["message"]] += 1
                except (ValueError, KeyError):
                    self.violation("a line of the log is not valid JSON: %r" % line[:200])
        print("log: " + (", ".join("%d %s: %s" % (count, *name) for name, count in messages.most_common(8)) or "nothing"))
        for (level, message), count in messages.items():
            if level in ("warning", "error", "critical") and message not in EXPECTED_WARNINGS:
                self.violation("%d times in the log: %s: %s" % (count, level, message))
        if leaks:
            self.violation("%d lines of the log contain a secret or a part of a request" % leaks)

    def summary(self):
        print("%.0f s, seed %d: %s" % (
            SECONDS, SEED, ", ".join("%d %s" % (count, name) for name, count in self.counts.most_common())))
        print("excused by restarts of the upstream: " + (", ".join(
            "%d %s" % (count, name) for name, count in self.excused.most_common()) or "none"))
        print("longest time that a stream ran for a revoked key: %.2f s" % self.longest_cut)
        print("%d violations" % len(self.violations))


def main():
    random.seed(SEED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    bench.Instance()
    port = bench.free_port()
    arguments = ["--upstream", "http://127.0.0.1:%d" % port]
    if TLS:
        arguments += ["--gateway-certificate-file", bench.certificate()[0], "--gateway-key-file", bench.certificate()[1]]
    keyward = bench.Instance(
        bench.private_database(), *arguments,
        environment={"KEYWARD_LOG_LEVEL": "debug"}, log=bench.FOLDER + "/mixed.log")
    load = Load(keyward, port)
    asyncio.run(load.run())
    load.check_the_end()
    load.summary()
    sys.exit(1 if load.violations else 0)


if __name__ == "__main__":
    main()
