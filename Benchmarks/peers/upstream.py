#!/usr/bin/env python3
"""A small upstream that discards bodies of any length; `/sink/stream/N` responds with N MiB.

Usage: upstream.py PORT
"""
import asyncio
import re
import sys

ANSWER = b"hello world, this is the upstream answer\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
CHUNK = bytes(1 << 18)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
STREAM = re.compile(rb"GET /sink/stream/(\d+) ")


class Connection(asyncio.BufferedProtocol):
    """A client's connection. All bodies are read into the same buffer."""

    buffer = memoryview(bytearray(1 << 20))

    def __init__(self):
        self.head = b""
        self.left = 0
        self.stream = 0
        self.is_paused = False

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, hint):
        return self.buffer

    def buffer_updated(self, count):
        start = 0
        while start < count:
            if self.left:
                part = min(self.left, count - start)
                self.left -= part
                start += part
                if not self.left:
                    self.transport.write(RESPONSE)
                continue
            self.head += self.buffer[start:count]
            start = count
            end = self.head.find(b"\r\n\r\n")
            if end >= 0:
                rest = len(self.head) - end - 4
                start = count - rest
                self.begin(self.head[:end])
                self.head = b""

    def begin(self, head):
        stream = STREAM.match(head)
        length = LENGTH.search(head)
        if stream:
            self.stream = int(stream[1]) << 20
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.stream)
            self.resume_writing()
        elif length and int(length[1]):
            self.left = int(length[1])
        else:
            self.transport.write(RESPONSE)

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        self.is_paused = False
        while self.stream and not self.is_paused and not self.transport.is_closing():
            chunk = CHUNK[:self.stream]
            self.stream -= len(chunk)
            self.transport.write(chunk)


async def main():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
