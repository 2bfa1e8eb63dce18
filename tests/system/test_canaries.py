"""Names and secrets are seeded everywhere, then looked for in every log, message, error text and answer to an operator.

The whole path of production runs as real processes at DEBUG, every link over TLS and people stored under a key.
"""

import base64
import re
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from command import NOTES, ROOT, Cli, kill_tree, wait_until
from servers import postgres, redis, s3

VERSION = next((ROOT / "models").iterdir()).name.rpartition("-")[2]
NOTE = NOTES / "ana" / "2026-03-02T08-15-00Z.ogg"
# What uploaders say, each in one place, so that a find tells where it came from.
GOOD_KEY, BROKEN_KEY, VAGUE_KEY = "canary-folder/canary-good.ogg", "canary-folder/canary-broken.ogg", "canary-vague.ogg"
NAMES = re.compile(r"canary-(person|folder|good|broken|vague|content|blank|time)")
SUBJECT_KEY = "canary-subject-key-of-32-characters"
SECRETS = (redis.PASSWORD, postgres.PASSWORD, s3.SECRET_KEY, s3.ACCESS_KEY, SUBJECT_KEY)
UPLOADS = (
    (GOOD_KEY, NOTE.read_bytes(), {"subject-id": "canary-person", "recorded-at": "2026-03-02T08:15:00Z"}),
    # The first eight bytes of what is no audio are quoted, as SECURITY.md says.
    (BROKEN_KEY, b"\0" * 8 + b"canary-content", {"subject-id": "canary-person"}),
    (VAGUE_KEY, b"", {"subject-id": "canary-blank" * 20, "recorded-at": "canary-time"}),
)


@dataclass
class Site:
    """Tonalog in production: who holds which variable, and all that was printed."""

    folder: object
    common: dict
    operator_only: dict
    database: dict
    said: list = field(default_factory=list)

    def start(self, name, *arguments, **changed):
        """Start a process with a log of its own; only the scheduler holds what operators hold."""
        more = (self.operator_only if name == "scheduler" else {}) | changed
        return Cli(self.folder, self.common | more).start(*arguments, log=f"{name}.log", is_measured=name != "cut-off")

    def call(self, *arguments, code=0, **changed):
        """Run an operator's command and keep what it printed."""
        self.said.append(Cli(self.folder, self.common | self.operator_only | changed)(*arguments, code=code))
        return self.said[-1]

    def ask(self, statement):
        with psycopg.connect(**self.database) as connection:
            return connection.execute(statement).fetchall()

    def columns(self):
        """Every column of every table, by table and column."""
        found = {}
        with psycopg.connect(**self.database) as connection:  # one for all: each takes time for TLS and its password
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"')
                names = [column.name for column in rows.description]
                values = list(zip(*rows.fetchall(), strict=True)) or [()] * len(names)
                found |= {(table, name): str(of_name) for name, of_name in zip(names, values, strict=True)}
        return found

    def logs(self):
        return {file.name: file.read_text() for file in self.folder.glob("*.log")}


@pytest.fixture
def site(encrypted, tmp_path):
    with psycopg.connect(encrypted.database_url(""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE canaries")
    options = f"sslmode=verify-full&sslrootcert={encrypted.certificates.ca}"
    url = encrypted.database_url(options, database="canaries")
    with encrypted.s3.fresh_bucket() as bucket:
        for key, content, metadata in UPLOADS:
            bucket.client().put_object(Bucket=bucket.bucket, Key=key, Body=content, Metadata=metadata)
        common = {
            "TONALOG_DATABASE_URL": url,
            "TONALOG_BROKER_URL": encrypted.broker_url(),
            "TONALOG_BROKER_CA_FILE": str(encrypted.certificates.ca),
            "TONALOG_STORAGE_URL": f"s3://{bucket.bucket}",
            "TONALOG_S3_ENDPOINT_URL": bucket.endpoint_url,
            "TONALOG_S3_ACCESS_KEY": bucket.access_key,
            "TONALOG_S3_SECRET_KEY": bucket.secret_key,
            "TONALOG_S3_CA_BUNDLE": str(encrypted.certificates.ca),
            "TONALOG_SWEEP_S": "1",
            "TONALOG_LOG_LEVEL": "DEBUG",
        }
        database = psycopg.conninfo.conninfo_to_dict(url)
        yield Site(tmp_path, common, {"TONALOG_SUBJECT_KEY": SUBJECT_KEY}, database)


@contextmanager
def watching(server):
    """All that anybody says to the broker within this context; what a message carries is decoded."""
    said, client = [], server.connect()
    client.connection_pool.connection_kwargs["socket_timeout"] = None

    def listen(monitor):
        for heard in monitor.listen():
            if "the watch is over" in heard["command"]:
                return
            said.append(heard["command"])
            said.extend(base64.b64decode(body).decode() for body in re.findall(r'"body": ?"([\w+/=]+)"', said[-1]))

    with client, client.monitor() as monitor:
        thread = threading.Thread(target=listen, args=(monitor,), daemon=True)
        thread.start()
        try:
            yield said
        finally:
            client.echo("the watch is over")
            thread.join(timeout=30)


@pytest.mark.timeout(900)  # a dozen processes: 80 to 100 s on two busy cores, 2026-11-24
def test_no_name_and_no_secret_is_where_it_does_not_belong(site, encrypted):
    site.call("db", "upgrade")
    with watching(encrypted.broker) as to_broker:
        scheduler, worker = (site.start(name, name) for name in ("scheduler", "worker"))
        # One that does not trust the broker repeats for ever what it says of it.
        cut_off = site.start("cut-off", "worker", TONALOG_BROKER_CA_FILE=str(encrypted.stranger.ca))
        try:
            assert "3 new" in site.call("scan")
            ended = wait_until(lambda: site.ask("SELECT count(finished_at) FROM jobs") == [(3,)], timeout_s=150)
            assert ended, site.logs()
            operate(site)
            for process in (scheduler, worker):
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=60) == 0
        finally:
            for process in (scheduler, worker, cut_off):
                if process.poll() is None:
                    kill_tree(process)

    logs = site.logs()
    assert "attempt failed" in logs["worker.log"]
    assert " DEBUG " in logs["worker.log"]
    assert "CERTIFICATE_VERIFY_FAILED" in logs["cut-off.log"]
    assert any(re.match(r"\[\[\d+\], ", body) for body in to_broker), "no message was heard"
    for place, text in {**logs, "operator": "\n".join(site.said), "broker": "\n".join(to_broker)}.items():
        assert not NAMES.search(text), f"{place}: {line_with(NAMES.search(text), text)}"
    columns = site.columns()
    named = {place for place, text in columns.items() if NAMES.search(text)}
    assert named == {("recordings", "key")}, named  # of the one note that nobody erased
    everywhere = [*logs.values(), *site.said, *to_broker, *columns.values(), *tell_names(site)]
    for secret in SECRETS:
        assert not [text for text in everywhere if secret in text], secret


def operate(site):
    """What an operator does in a day, without asking for names."""
    assert site.call("doctor").count("over TLS") == 2
    site.call("settings")
    site.call("models", "list")
    assert "0 jobs" in site.call("reprocess", "--model", VERSION, "--subject", "canary-person", "--dry-run")
    assert "Listed are the oldest 1" in site.call("retention", "--older-than", "30d")
    other_key = {"TONALOG_SUBJECT_KEY": "another-key-of-32-characters-or-more"}
    assert "TONALOG_SUBJECT_KEY" in site.call("trends", "canary-person", code=1, **other_key)
    in_query = re.sub(r":([^:@]*)@(.*)\?", r"@\2?password=\1-wrong&", site.common["TONALOG_DATABASE_URL"])
    assert "is not available" in site.call("status", code=1, TONALOG_DATABASE_URL=in_query)
    assert "2 objects are gone" in site.call("erase", "--subject", "canary-person")


def tell_names(site):
    """The commands that show keys, because an operator asks for them: secrets have no place there either."""
    n_before = len(site.said)
    site.call("status", code=2)  # nobody works any more
    site.call("show", VAGUE_KEY)
    return site.said[n_before:]


def line_with(found, text):
    return text[text.rfind("\n", 0, found.start()) + 1 : found.end() + 80]
