"""The roles of deploy/postgres/roles.sql on a database of a test's own; asserts nothing."""

from contextlib import contextmanager

from command import ROOT
from db_samples import PLENTY, a_model, a_recording, migrated_template
from kept_databases import lend_database
from sqlalchemy import text

from db import jobs, ledger, models, pump, recordings
from db.engine import make_engine
from db.reasons import Lane

ROLES = ("migrator", "scheduler", "worker", "api", "http", "webhooks", "eraser", "scaler")
VIEWS = ("v1_note", "v1_segment", "v1_subject_day", "v1_subject_trend", "v1_change")
PASSWORD = "canary-role-password"


class Roles:
    """One database with the roles' rights, and an engine for each role.

    `n_pooled` connections of each role are kept open, since one costs more than a question; None: none is, for a test
    that counts them or changes what a new session has.
    """

    def __init__(self, admin, *, n_pooled=None, is_granted=False):
        self.admin = admin
        self._n_pooled = n_pooled
        self._engines = {}
        if not is_granted:
            self.grant()
            with admin.begin() as connection:
                for role in ROLES:
                    connection.execute(text(f"ALTER ROLE tonalog_{role} PASSWORD '{PASSWORD}'"))

    def grant(self):
        """Run the file as psql would."""
        statements = (ROOT / "deploy" / "postgres" / "roles.sql").read_text()
        with self.admin.connect() as connection:
            driver = connection.connection.driver_connection
            connection.detach()  # it commits by itself from now on, so it is not one of those that are kept
            driver.autocommit = True
            driver.execute(statements)

    def __getattr__(self, role):
        if role not in ROLES:
            raise AttributeError(f"no role {role!r}: there are {', '.join(ROLES)}")
        if role not in self._engines:
            url = self.admin.url.set(username=f"tonalog_{role}", password=PASSWORD)
            self._engines[role] = make_engine(url.render_as_string(hide_password=False), n_pooled=self._n_pooled)
        return self._engines[role]

    def close(self):
        """Close what is kept open."""
        for engine in self._engines.values():
            engine.dispose()


@contextmanager
def new_roles(server, *, n_pooled=4):
    """The roles on a migrated database of this test's own."""
    with lend_database(server, migrated_template(server), prepare=grant_roles) as name:
        admin = make_engine(server.url_of(name), n_pooled=n_pooled)
        roles = Roles(admin, n_pooled=n_pooled, is_granted=True)
        yield roles
        roles.close()
        admin.dispose()


def grant_roles(server, name):
    """Run the file in a database once, for all tests that use it."""
    Roles(make_engine(server.url_of(name))).close()


def run(engine, statement):
    with engine.begin() as connection:
        connection.execute(text(statement))


def ask(engine, statement):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def add_work(roles, n=1):
    """A model by the migrator, recordings and queued jobs by the scheduler; gives the job ids."""
    models.activate(roles.migrator, models.add_model(roles.migrator, a_model()).id)
    recordings.register(roles.scheduler, [a_recording(f"anna/{i}.wav", subject="anna") for i in range(n)])
    jobs.create_jobs(roles.scheduler, models.active_model(roles.scheduler).id, lane=Lane.NIGHTLY)
    return [job_id for job_id, _ in pump.due_jobs(roles.scheduler, cap_outstanding=PLENTY, limit=PLENTY)]


def claim(roles, job_id, lease_s=60.0):
    return ledger.claim(roles.worker, job_id, worker="w", lease_s=lease_s)
