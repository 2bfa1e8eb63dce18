"""`tonalog api --check`, the health check of a server that runs."""

from api_samples import free_port, running
from click.testing import CliRunner
from db_samples import new_sqlite

from tonalog.cli import cli
from tonalog.errors import TonalogError


def check(port):
    return CliRunner().invoke(cli, ["api", "--check", "--port", str(port)])


def test_a_server_that_can_answer_is_ready(tmp_path):
    with running(new_sqlite(tmp_path)) as port:
        done = check(port)

    assert (done.exit_code, done.output) == (0, "")


def test_a_server_without_its_tables_is_not_ready_and_the_check_says_what_it_answered(tmp_path):
    engine = new_sqlite(tmp_path)
    with running(engine) as port:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        done = check(port)

    assert done.exit_code != 0
    assert f"http://127.0.0.1:{port}/readyz" in str(done.exception)
    assert "503" in str(done.exception)


def test_where_nobody_listens_nobody_is_ready():
    port = free_port()

    done = check(port)

    assert isinstance(done.exception, TonalogError)
    assert f"127.0.0.1:{port}" in str(done.exception)


def test_a_proxy_of_the_environment_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with running(new_sqlite(tmp_path)) as port:
        assert check(port).exit_code == 0
