"""Clients that send as slowly as they are let, and clients that say nothing."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.tokens import token

HEAD = "POST /api/mallory/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SIGNED = f"{HEAD}Authorization: Bearer {token('mallory')}\r\n"
KINDS = {
    "headers": f"{HEAD}X-Drip: ",
    "headers_with_a_token": f"{SIGNED}X-Drip: ",
    "a_body": f"{HEAD}Content-Length: 60000\r\n\r\n",
    "a_body_with_a_token": f"{SIGNED}Content-Length: 60000\r\n\r\n",
    "chunks_with_a_token": f"{SIGNED}Transfer-Encoding: chunked\r\n\r\n",
    "nothing": "",
}


@contextmanager
def dripping(port: int, **clients: int) -> Iterator[Counter[str]]:
    """So many clients of each of KINDS, who come again when they are thrown out. Yields how many are connected."""
    connected: Counter[str] = Counter()
    stop = threading.Event()

    async def drip(kind: str) -> None:
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.5)
                continue
            connected[kind] += 1
            try:
                writer.write(KINDS[kind].encode())
                while not stop.is_set() and not reader.at_eof():
                    if kind != "nothing":
                        writer.write(b"1\r\nx\r\n" if kind.startswith("chunks") else b"x")
                        await writer.drain()
                    await asyncio.sleep(1)
            except OSError:
                pass
            connected[kind] -= 1
            writer.close()

    async def main() -> None:
        await asyncio.gather(*(drip(kind) for kind, count in clients.items() for _ in range(count)))

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    try:
        yield connected
    finally:
        stop.set()
        thread.join()
