"""Real HTTP servers that receive webhooks: on plain TCP, over TLS, slow ones and broken ones; asserts nothing."""

import http.server
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    path: str
    headers: dict
    body: bytes
    at: float = field(default_factory=time.time)


class Receiver:
    """What came, and what is answered: `answers` one by one, then 204."""

    def __init__(self, *, answers=(), delay_s=0.0, headers=()):
        self.received = []
        self.answers = list(answers)
        self.delay_s = delay_s
        self.headers = dict(headers)
        self.port = 0
        self.n_at_once = self.max_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hooks?v=1"

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self.lock:
            self.n_at_once += 1
            self.max_at_once = max(self.max_at_once, self.n_at_once)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.received.append(Received(handler.path, headers, body))
            status = self.answers.pop(0) if self.answers else 204
        time.sleep(self.delay_s)
        with self.lock:
            self.n_at_once -= 1
        handler.send_response(status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


@contextmanager
def receiving(receiver=None, *, tls=None, host="127.0.0.1", port=0):
    """Run a receiver; `tls` is a server-side SSL context."""
    receiver = receiver or Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            receiver.take(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((host, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def talking(*parts, every_s=0.0):
    """A server that sends these bytes to whoever connects, one part at a time, and then nothing; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def talk():
        while not is_over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=speak, args=(connection,), daemon=True).start()

    def speak(connection):
        with connection:
            try:
                for part in parts:
                    connection.sendall(part)
                    if is_over.wait(every_s):
                        return
                is_over.wait(30)
            except OSError:
                return

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        is_over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def server_tls(authority, *names):
    """The server side of TLS with a certificate of a `trustme` authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context
