#!/usr/bin/env python3
"""The upstream of mixed_load.py: it echoes requests, streams, delays responses, and aborts connections.

Usage: mixed_upstream.py PORT
"""
import asyncio
import base64
import hashlib
import json
import random
import socket
import struct
import sys
import time
from urllib.parse import parse_qs, urlsplit

TABLE = random.Random(1).randbytes(1 << 20)


class Request:
    """The head of a request, with the hash and the length of its body once that is read."""

    def __init__(self, head):
        first, *lines = head.decode("latin-1")[:-4].split("\r\n")
        self.method, target, _ = first.split(" ")
        parts = urlsplit(target)
        self.path, self.query = parts.path, parse_qs(parts.query, keep_blank_values=True)
        self.words = self.path.split("/")[1:]
        self.fields = {}
        for line in lines:
            name, value = line.split(":", 1)
            self.fields.setdefault(name.lower(), []).append(value.strip())

    def field(self, name):
        return self.fields.get(name, [""])[0]


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def run(self):
        try:
            while True:
                request = Request(await self.reader.readuntil(b"\r\n\r\n"))
                await self.read_body(request)
                await getattr(self, request.words[0])(request)
                await self.writer.drain()
                if self.writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.writer.close()

    async def read_body(self, request):
        digest, count = hashlib.sha256(), 0
        if request.field("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                digest.update((await self.reader.readexactly(size + 2))[:-2])
                count += size
            await self.reader.readuntil(b"\r\n")
        else:
            left = int(request.field("content-length") or 0)
            while left:
                data = await self.reader.read(min(left, 1 << 16))
                if not data:
                    raise asyncio.IncompleteReadError(b"", left)
                digest.update(data)
                count += len(data)
                left -= len(data)
        request.sha256, request.bytes = digest.hexdigest(), count

    def head(self, *fields, status="200 OK"):
        self.writer.write("\r\n".join(("HTTP/1.1 " + status, *fields, "", "")).encode())

    def chunk(self, data):
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def echo(self, request):
        body = json.dumps({
            "canary": request.field("x-canary"), "path": request.path, "key": request.fields.get("x-keyward-key-id"),
            "name": request.fields.get("x-keyward-key-name"),
            "credentials": [name for name in ("authorization", "x-api-key") if name in request.fields],
            "padding": "x" * int(request.query.get("size", ["0"])[0]),
        }).encode()
        canary = "X-Canary: " + request.field("x-canary")
        closes = random.random() < 0.02
        fields = (canary, "Connection: close") if closes else (canary,)
        if "chunked" in request.query:
            self.head(*fields, "Transfer-Encoding: chunked")
            middle = random.randrange(1, len(body))
            self.chunk(body[:middle])
            self.chunk(body[middle:])
            self.chunk(b"")
        else:
            self.head(*fields, "Content-Length: %d" % len(body))
            self.writer.write(body)
        if closes:
            await self.writer.drain()
            self.writer.close()

    async def upload(self, request):
        body = json.dumps({"canary": request.words[1], "sha256": request.sha256, "bytes": request.bytes}).encode()
        self.head("X-Canary: " + request.field("x-canary"), "Content-Length: %d" % len(body))
        self.writer.write(body)

    async def download(self, request):
        size, offset = int(request.words[1]), int(request.words[2])
        body = (TABLE[offset:] + TABLE * (size // len(TABLE) + 1))[:size]
        self.head("Content-Length: %d" % size, "X-SHA256: " + hashlib.sha256(body).hexdigest())
        for start in range(0, size, 1 << 16):
            self.writer.write(body[start:start + (1 << 16)])
            await self.writer.drain()

    async def slow(self, request):
        seconds, body = int(request.words[2]) / 1000, request.words[1].encode()
        await asyncio.sleep(seconds / 2)
        self.head("Content-Length: %d" % len(body))
        for index in range(0, len(body), 7):
            self.writer.write(body[index:index + 7])
            await asyncio.sleep(seconds / 8)

    async def events(self, request):
        self.head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        for number in range(int(request.words[2])):
            self.chunk(("data: %s %d %.3f\n\n" % (request.words[1], number, time.time())).encode())
            await self.writer.drain()
            await asyncio.sleep(int(request.words[3]) / 1000)
        self.chunk(b"")

    async def reset(self, request):
        if request.words[2] == "chunked":
            self.head("Transfer-Encoding: chunked")
            self.chunk(request.words[1].encode() * 100)
        else:
            self.head("Content-Length: 100000")
            self.writer.write(request.words[1].encode() * 100)
        await self.writer.drain()
        await asyncio.sleep(random.choice((0, 0, 0.05)))
        if random.random() < 0.7:
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        self.writer.close()

    async def socket(self, request):
        accept = hashlib.sha1((request.field("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.head("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: " + base64.b64encode(accept).decode(),
                  "X-Canary: " + request.words[1], status="101 Switching Protocols")
        while True:
            first, length = await self.reader.readexactly(2)
            length &= 0x7F
            size = b""
            if length == 126:
                size = await self.reader.readexactly(2)
                (length,) = struct.unpack(">H", size)
            mask = await self.reader.readexactly(4)
            message = await self.reader.readexactly(length)
            plain = bytes(byte ^ mask[index % 4] for index, byte in enumerate(message))
            self.writer.write(bytes([first, 126 if size else length]) + size + plain)
            await self.writer.drain()
            if first & 15 == 8:
                return self.writer.close()


async def main():
    async def serve(reader, writer):
        await Connection(reader, writer).run()

    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024, limit=1 << 18)
    await server.serve_forever()


asyncio.run(main())
