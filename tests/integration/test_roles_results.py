"""With the worker's credentials a result can be written once, whole and as the end of its job, and then no more."""

from itertools import product

import pytest
from db_samples import a_result
from roles import add_work, ask, claim, new_roles, run
from sqlalchemy import text

from db import erasures, ledger
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope

SEGMENT = (
    "INSERT INTO segments (recording_id, model_id, idx, start_ms, end_ms, speech_ms, anger, happiness, neutral, sadness) "
    "VALUES (1, 1, {idx}, 0, 8000, 8000, {anger}, 0.1, 0.1, 0.1)"
)
RESULT = (
    "INSERT INTO results (recording_id, model_id, token, status, label, confidence, is_uncertain, anger, happiness, neutral, "
    "sadness, n_windows, speech_ms, rejected_ms, duration_ms, trend, created_at) "
    "VALUES (1, 1, '{token}', 'SCORED', 'anger', 0.9, false, 0.9, 0.1, 0, 0, {n_windows}, 1, 0, 1, '{{}}', now())"
)
DONE = "UPDATE jobs SET state = 'DONE', lease_until_s = NULL, finished_at = now() WHERE id = 1"


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


def run_all(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_segment_under_a_finished_result_is_refused(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())

    for idx, anger in product([-1, 2, 7], ["0.5", "'NaN'", "7e300", "-5"]):
        with pytest.raises(DatabaseError, match="refused the rows"):
            run(roles.worker, SEGMENT.format(idx=idx, anger=anger))

    assert len(ask(roles.api, "SELECT * FROM v1_segment")) == 2


def test_touching_the_job_again_opens_its_result_no_more(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())

    with pytest.raises(DatabaseError, match="segment comes in the transaction of its result"):
        run_all(roles.worker, DONE, SEGMENT.format(idx=0, anger=0.5))
    with pytest.raises(DatabaseError, match="duplicate key"):
        run_all(roles.worker, DONE, RESULT.format(token=claim_token(roles), n_windows=2))


def test_a_result_beside_a_job_that_ended_before_is_refused(roles):
    (job_id,) = add_work(roles)
    taken = claim(roles, job_id)
    run(roles.worker, DONE)

    with pytest.raises(DatabaseError, match="ends its job as DONE"):
        run(roles.worker, RESULT.format(token=taken.token, n_windows=0))


# A column of a result, and a value of it that no reader could take in.
UNREADABLE = (
    ("created_at", "'infinity'"),
    ("created_at", "'0044-03-15 BC'"),
    ("created_at", "'9999-12-31'"),
    ("audio_sha256", f"'{'[/x]' * 16}'"),
    ("trend", "'\"x\"'"),
    ("trend", '\'{{"joy": {{"slope_per_min": 1}}}}\''),
    ("trend", '\'{{"anger": {{"slope_per_min": 7e300}}}}\''),
    ("trend", '\'{{"anger": {{"slope_per_min": "x"}}}}\''),
    ("trend", "jsonb_build_object('anger', jsonb_build_object(repeat('x', 1000000), 1))"),
)


def test_a_result_that_no_reader_could_take_in_is_refused(roles):
    (job_id,) = add_work(roles)
    sound = RESULT.format(token=claim(roles, job_id).token, n_windows=1)
    segment = SEGMENT.format(idx=0, anger=0.9)

    for column, value in UNREADABLE:
        with pytest.raises(DatabaseError, match="refused the rows"):
            run_all(roles.worker, DONE, put_value(sound, column, value), segment)

    run_all(roles.worker, DONE, sound, segment)  # and without a fault it is taken


def put_value(statement, column, value):
    """The statement with another value of a column, or with a column more."""
    columns, _, values = statement.partition(" VALUES ")
    if column in columns:
        sound = {"created_at": "now()", "trend": "'{}'"}[column]
        values = values.replace(sound, value.replace("{{", "{").replace("}}", "}"))
    else:
        columns, values = columns[:-1] + f", {column})", values[:-1] + f", {value})"
    return f"{columns} VALUES {values}".replace(":", "\\:")


def test_no_result_is_added_for_somebody_who_was_erased(roles):
    (job_id,) = add_work(roles)
    taken = claim(roles, job_id)
    erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)

    with pytest.raises(DatabaseError, match="the recording was erased"):
        run_all(
            roles.worker,
            f"UPDATE jobs SET state = 'DONE', lease_token = '{taken.token}', lease_until_s = NULL, finished_at = now()",
            RESULT.format(token=taken.token, n_windows=1),
        )


def test_a_result_with_fewer_or_more_segments_than_windows_is_refused(roles):
    (job_id,) = add_work(roles)
    taken = claim(roles, job_id)

    for n_segments in (0, 1, 3):
        added = [SEGMENT.format(idx=idx, anger=0.9) for idx in range(n_segments)]
        with pytest.raises(DatabaseError, match="refused the rows"):
            run_all(roles.worker, DONE, RESULT.format(token=taken.token, n_windows=2), *added)

    assert ask(roles.api, "SELECT * FROM v1_segment") == []


AGAINST_GUARDS = (
    "SET session_replication_role = 'replica'",
    "ALTER TABLE segments DISABLE TRIGGER segments_are_finished",
    "ALTER TABLE results DROP CONSTRAINT ck_results_scores",
    "DROP TRIGGER results_are_whole ON results",
    "CREATE OR REPLACE FUNCTION check_new_segment() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "CREATE TRIGGER mine BEFORE INSERT ON segments FOR EACH ROW EXECUTE FUNCTION check_new_segment()",
    "SELECT check_new_segment()",
)


def test_the_guards_cannot_be_taken_away(roles):
    for statement in AGAINST_GUARDS:
        with pytest.raises(
            DatabaseError, match=r"permission denied|must be owner|trigger functions can only be called"
        ):
            run(roles.worker, statement)


def test_guards_look_at_nothing_that_their_caller_has_made(roles):
    for role in ("migrator", "admin"):
        owners = ask(
            getattr(roles, role),
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "AND (proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig))",
        )
        assert owners == []


def claim_token(roles):
    ((token,),) = ask(roles.admin, "SELECT lease_token FROM jobs")
    return token
