"""A scheduler's connections to a real PostgreSQL: kept between ticks, and opened anew where the server has closed them."""

from db_samples import add_active_model, new_postgres

from config.settings import Settings
from scheduler.app import make_app
from scheduler.service import Service

BACKENDS = b"SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


def test_a_tick_finds_the_connections_of_the_last_one_and_opens_new_ones_after_the_server_closed_them(
    postgres_server, tmp_path
):
    with new_postgres(postgres_server, n_pooled=None) as engine:
        add_active_model(engine)
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings.read(home=tmp_path / "home", database_url=url)
        service = Service(settings, make_app(settings), n_kept=1)

        def tick():
            service.tick()
            with postgres_server.connect() as connection:
                return {pid for (pid,) in connection.execute(BACKENDS, (engine.url.database,))}

        first, second = tick(), tick()
        postgres_server.kill_backends()
        third = tick()
        service.end()

    assert len(first) == 1
    assert second == first
    assert len(third) == 1
    assert third != first
