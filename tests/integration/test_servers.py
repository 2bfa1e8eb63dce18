"""The test servers themselves: they come up, die like crashed servers, and keep what they promise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from command import wait_until
from redis.exceptions import ConnectionError as RedisConnectionError
from servers import PostgresServer, RedisServer, S3Access, S3Server, machine, postgres

TESTS_FOLDER = Path(machine.__file__).parent.parent


def test_redis_answers_and_starts_empty(redis_server: RedisServer, redis_url: str) -> None:
    with redis_server.connect() as client:
        assert redis_url == redis_server.url
        assert client.dbsize() == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_redis_with_append_only_file_keeps_acknowledged_writes_over_a_kill(
    killable_redis: RedisServer,
) -> None:
    with killable_redis.connect() as client:
        for number in range(500):
            client.rpush("queue", number)

    killable_redis.kill()
    with killable_redis.connect() as client, pytest.raises(RedisConnectionError):
        client.ping()
    killable_redis.start()

    with killable_redis.connect() as client:
        assert client.llen("queue") == 500


def test_redis_without_persistence_forgets(forgetful_redis: RedisServer) -> None:
    with forgetful_redis.connect() as client:
        client.set("key", "value")

    forgetful_redis.kill()
    forgetful_redis.start()

    with forgetful_redis.connect() as client:
        assert client.dbsize() == 0


def test_frozen_server_answers_again_after_resume(forgetful_redis: RedisServer) -> None:
    forgetful_redis.pause()
    assert forgetful_redis.is_running()
    with forgetful_redis.connect() as client, pytest.raises(Exception, match=r"[Tt]imeout"):
        client.ping()

    forgetful_redis.resume()

    with forgetful_redis.connect() as client:
        assert client.ping() is True


def test_each_postgres_database_is_empty_and_utf8(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        encoding = connection.execute("SHOW server_encoding").fetchone()

    assert tables == (0,)
    assert encoding == ("UTF8",)


def test_postgres_refuses_a_wrong_password(postgres_url: str) -> None:
    wrong = postgres_url.replace("+psycopg", "").replace(postgres.PASSWORD, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_postgres_keeps_committed_rows_over_a_kill(killable_postgres: PostgresServer) -> None:
    with killable_postgres.connect() as connection:
        connection.execute("CREATE TABLE kept (n integer)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")

    killable_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        killable_postgres.connect()
    killable_postgres.start()

    with killable_postgres.connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_kill_backends_breaks_open_connections_only(postgres_server: PostgresServer) -> None:
    victim = postgres_server.connect()

    assert postgres_server.kill_backends() >= 1

    with pytest.raises(psycopg.OperationalError):
        victim.execute("SELECT 1")
    with postgres_server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change user")
def test_postgres_programs_that_its_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONALOG_TEST_SERVERS", "wheels")  # system programs are never hidden; a wheel under /root is
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    programs = postgres.copy_installation(postgres.find_postgres(), hidden / "install")
    monkeypatch.setattr(postgres, "find_postgres", lambda: programs)
    monkeypatch.setattr(postgres, "prepare_cluster", postgres.prepare_cluster.__wrapped__)

    server = PostgresServer()
    try:
        server.start()
        with server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.close()


def test_s3_bucket_starts_empty_and_takes_objects(s3: S3Access) -> None:
    client = s3.client()
    assert client.list_objects_v2(Bucket=s3.bucket)["KeyCount"] == 0

    client.put_object(Bucket=s3.bucket, Key="anna/2026-03-01.wav", Body=b"sound", Metadata={"subject-id": "anna"})

    answer = client.get_object(Bucket=s3.bucket, Key="anna/2026-03-01.wav")
    assert answer["Body"].read() == b"sound"
    assert answer["Metadata"] == {"subject-id": "anna"}


def test_s3_keeps_objects_over_a_kill(killable_s3: S3Server) -> None:
    with killable_s3.fresh_bucket() as access:
        client = access.client()
        for number in range(20):
            client.put_object(Bucket=access.bucket, Key=f"{number}.wav", Body=b"sound")

        killable_s3.kill()
        killable_s3.start()

        assert client.list_objects_v2(Bucket=access.bucket)["KeyCount"] == 20
        assert client.get_object(Bucket=access.bucket, Key="7.wav")["Body"].read() == b"sound"


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import servers
server = getattr(servers, sys.argv[2])()
server.start()
print(server.pid, server.folder, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("kind", ["RedisServer", "PostgresServer", "S3Server"])
def test_servers_die_with_a_killed_test_run_and_the_next_run_removes_their_folders(kind: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(TESTS_FOLDER), kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        server_pid, folder = owner.stdout.readline().split()

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    expect_gone(int(server_pid), Path(folder))


WORKERS_TEST = """
import pathlib, time
def test_it(redis_server):
    part = pathlib.Path("part")
    part.write_text(f"{redis_server.pid} {redis_server.folder}")
    part.rename("started")
    time.sleep(300)
"""


def test_servers_of_a_worker_die_with_a_killed_test_run_too(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(WORKERS_TEST)
    owner = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-n", "1", "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS_FOLDER)},
        stdout=subprocess.DEVNULL,
    )
    assert wait_until((tmp_path / "started").exists, timeout_s=120)
    server_pid, folder = (tmp_path / "started").read_text().split()

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    expect_gone(int(server_pid), Path(folder))


def expect_gone(server_pid: int, folder: Path) -> None:
    assert wait_until(lambda: not machine.is_alive(server_pid), timeout_s=60)
    assert wait_until(lambda: machine.remove_stale_folders() or not folder.exists(), timeout_s=60)
