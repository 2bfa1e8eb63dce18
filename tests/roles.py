"""The roles of deploy/postgres/roles.sql on a database of a test's own; asserts nothing."""

from command import ROOT
from db_samples import PLENTY, a_model, a_recording
from sqlalchemy import text

from db import jobs, ledger, models, pump, recordings
from db.engine import make_engine
from db.reasons import Lane

ROLES = ("migrator", "scheduler", "worker", "api", "http", "webhooks", "eraser", "scaler")
VIEWS = ("v1_note", "v1_segment", "v1_subject_day", "v1_subject_trend", "v1_change")
PASSWORD = "canary-role-password"


class Roles:
    """One database with the roles' rights, and an engine for each role."""

    def __init__(self, admin):
        self.admin = admin
        self.grant()
        for role in ROLES:
            run(admin, f"ALTER ROLE tonalog_{role} PASSWORD '{PASSWORD}'")

    def grant(self):
        """Run the file as psql would."""
        statements = (ROOT / "deploy" / "postgres" / "roles.sql").read_text()
        with self.admin.connect() as connection:
            connection.connection.driver_connection.autocommit = True
            connection.connection.driver_connection.execute(statements)

    def __getattr__(self, role):
        url = self.admin.url.set(username=f"tonalog_{role}", password=PASSWORD)
        return make_engine(url.render_as_string(hide_password=False))


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
