"""Real Redis, PostgreSQL and S3 servers for tests, as plain processes on loopback; never touches a server it did not start."""

from servers.base import Server, ServerStartError
from servers.encrypted import EncryptedServers, encrypted_servers
from servers.machine import MissingServerError
from servers.postgres import PostgresServer
from servers.redis import RedisServer
from servers.s3 import S3Access, S3Server

__all__ = [
    "EncryptedServers",
    "MissingServerError",
    "PostgresServer",
    "RedisServer",
    "S3Access",
    "S3Server",
    "Server",
    "ServerStartError",
    "encrypted_servers",
]
