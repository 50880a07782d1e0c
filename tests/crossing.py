"""What lies between a mirror and its upstream: TLS with certificates of one's own, and a forward proxy."""

import base64
import contextlib
import http.client
import http.server
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "data.example"  # which only the proxy finds


@dataclass
class Certificates:
    """An authority's certificate, and a server's for HOST and 127.0.0.1, which it signed; both are PEM files."""

    authority: Path
    server: Path


def certificates(folder: Path) -> Certificates:
    """Made anew, good for a day."""
    folder.mkdir()
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("An authority", HOST)]
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    now, hosts = datetime.now(UTC), [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    for number, path in enumerate((made.authority, made.server)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[number])
            .issuer_name(names[0])
            .public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        )
        if number:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        path.write_bytes(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain, pkcs8 = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    with made.server.open("ab") as file:
        file.write(keys[1].private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return made


@dataclass
class Seen:
    """What a server was asked: each request's target and its headers by lower-case name."""

    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def all(self, name: str) -> set[str | None]:
        """The values of a header, None where a request had none."""
        return {headers.get(name) for _, headers in self.asked}


class _Files(http.server.SimpleHTTPRequestHandler):
    """The files of a folder; a closed server wants a header, another one sends its readers elsewhere."""

    protocol_version = "HTTP/1.1"
    seen: Seen
    opens: str
    leads: str

    def do_GET(self) -> None:
        self.seen.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.opens and self.headers.get("Authorization") != self.opens:
            self.send_error(401)
        elif self.leads:
            self.send_response(302)
            self.send_header("Location", f"{self.leads}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def files_of(folder: Path, server: Path | None = None, opens: str = "", leads: str = "") -> Iterator[Seen]:
    """A web server over a folder: over TLS with a certificate, closed without the header `opens`, or one that
    redirects everything to where it `leads`.
    """
    seen = Seen("")
    kind = type("Files", (_Files,), {"seen": seen, "opens": opens, "leads": leads})
    with _running(partial(kind, directory=str(folder)), server) as port:
        seen.url = f"{'https' if server else 'http'}://127.0.0.1:{port}"
        yield seen


@contextmanager
def _running(handler: Any, server: Path | None = None) -> Iterator[int]:
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listener.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that refuses a certificate
    if server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield listener.server_port
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Forward(http.server.BaseHTTPRequestHandler):
    """Passes requests on to one server, whatever host they name; tunnels too."""

    protocol_version = "HTTP/1.1"
    seen: Seen
    port: int
    password: str

    def _allowed(self) -> bool:
        self.seen.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        wanted = f"Basic {base64.b64encode(self.password.encode()).decode()}"
        allowed = not self.password or self.headers.get("Proxy-Authorization") == wanted
        if not allowed:
            self.send_error(407)
        return allowed

    def do_CONNECT(self) -> None:
        if not self._allowed():
            return
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as there:
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [], 10)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)
        self.close_connection = True

    def do_GET(self) -> None:
        if not self._allowed():
            return
        origin = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        origin.request("GET", "/" + self.path.split("/", 3)[3])
        response = origin.getresponse()
        body = response.read()
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        origin.close()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def forward(url: str, password: str = "") -> Iterator[Seen]:
    """A forward proxy to the server at a URL; it may want a user and a password ("user:password")."""
    seen = Seen("")
    handler = type("Forward", (_Forward,), {"seen": seen, "port": int(url.rpartition(":")[2]), "password": password})
    with _running(handler) as port:
        seen.url = f"http://127.0.0.1:{port}"
        yield seen
