"""The three servers behind TLS, each with what a client needs to reach it; plain text is refused by all of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import redis
from servers.postgres import PASSWORD, USER, PostgresServer
from servers.redis import RedisServer
from servers.s3 import S3Server
from servers.tls import HOST, Certificates, TlsFront, make_certificates


@dataclass(frozen=True)
class EncryptedServers:
    """Where each server listens, and the CA that signed them all; `stranger` is a CA that signed none."""

    certificates: Certificates
    stranger: Certificates
    broker: RedisServer  # itself in plain text, for whoever watches it
    redis_port: int
    strict_redis_port: int  # lets in only whom the CA knows
    postgres_port: int
    postgres_speaks_tls: bool  # else a front does
    s3: S3Server

    def broker_url(self, *, scheme: str = "rediss", is_strict: bool = False) -> str:
        """URL of the broker with its password."""
        port = self.strict_redis_port if is_strict else self.redis_port
        return f"{scheme}://:{redis.PASSWORD}@{HOST}:{port}/0"

    def database_url(self, options: str, *, database: str = "postgres") -> str:
        """URL of a database (first of all the maintenance one) with these libpq options."""
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{self.postgres_port}/{database}?{options}"


@contextmanager
def encrypted_servers(folder: Path) -> Iterator[EncryptedServers]:
    """Start the three; a program that was built without TLS gets a front."""
    folder.chmod(0o755)
    made, stranger = make_certificates(folder / "ours"), make_certificates(folder / "stranger")
    with ExitStack() as stack:
        broker, database, s3 = RedisServer(), PostgresServer(certificates=made), S3Server(certificates=made)
        for server in (broker, database, s3):
            stack.callback(server.close)
            server.start()
        fronts = [
            stack.enter_context(TlsFront(broker.port, made.server_context(wants_client=is_strict)))
            for is_strict in (False, True)
        ]
        postgres_port = database.port
        if not database.speaks_tls:
            front = TlsFront(database.port, made.server_context(), is_postgres=True)
            postgres_port = stack.enter_context(front).port
        yield EncryptedServers(
            certificates=made,
            stranger=stranger,
            broker=broker,
            redis_port=fronts[0].port,
            strict_redis_port=fronts[1].port,
            postgres_port=postgres_port,
            postgres_speaks_tls=database.speaks_tls,
            s3=s3,
        )
