"""A real SMTP server on loopback, with or without STARTTLS and passwords, that remembers what it is told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message


@dataclass
class Mailbox:
    """What arrived: commands as they were sent, and whole letters."""

    port: int = 0
    offers: tuple[str, ...] = ("AUTH PLAIN LOGIN",)
    commands: list[str] = field(default_factory=list)
    letters: list[Message] = field(default_factory=list)


@contextmanager
def mail_server(*offers: str) -> Iterator[Mailbox]:
    """Serve on a free port of 127.0.0.1 for the time of the block; `offers` are the extensions EHLO lists."""
    box = Mailbox(offers=offers)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 test")
            while line := self.rfile.readline():
                text = line.decode().strip()
                box.commands.append(text)
                verb = text.split(" ")[0].upper()
                if verb == "EHLO":
                    lines = ["test", *box.offers]
                    for k, offer in enumerate(lines):
                        self._say(f"250{' ' if k == len(lines) - 1 else '-'}{offer}")
                elif verb == "AUTH":
                    self._say("235 welcome")
                elif verb == "STARTTLS":
                    self._say("454 no certificate here")
                elif verb == "DATA":
                    self._say("354 go on")
                    box.letters.append(message_from_bytes(self._letter()))
                    self._say("250 taken")
                elif verb == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 fine")

        def _letter(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()).strip() != b".":
                lines.append(line)
            return b"".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
