"""Fills a database with notes of many people by a few statements, for query plans and `benchmarks/reads.py`; asserts nothing."""

import json

from sqlalchemy import Connection, Engine, text

from db.engine import without_transaction

N_TENANTS = 10
N_SEGMENTS = 3  # of a scored note
_SCORES = '{"anger": 0.1, "happiness": 0.2, "neutral": 0.3, "sadness": 0.4}'
_LEVELS = '{"anger": {"level": -1.0, "error": 0.4}, "sadness": {"level": 0.2, "error": 0.4}}'
_CHART = json.dumps([{"day": f"2026-10-{day:02}", "level": 0.5, "low": -1.0, "high": 1.0} for day in range(1, 31)])
_OF_PERSON = '{"recent": {"difference": 0.5, "low": 0.1, "high": 0.9, "effect_size": 0.8}, "evidence": null}'
_TREND = (
    '{"sadness": {"slope_per_min": 0.25, "slope_error": 0.1, "start_mean": 0.1, "end_mean": 0.2, "volatility": 0.0}}'
)

# Of a hundred notes one has no time, one failed, one holds no speech, and one waits.
_STATEMENTS = {
    "models": """
        INSERT INTO models (id, name, version, sha256, labels, manifest, folder, is_active, added_at)
        VALUES (1, 'bench', '1.0', 'x', {json_labels}, {json_empty}, 'x', {true}, '2026-01-01 00:00:00.000000'),
            (2, 'bench', '0.9', 'y', {json_labels}, {json_empty}, 'y', {false}, '2025-01-01 00:00:00.000000')
    """,
    "recordings": """
        INSERT INTO recordings (id, store, bucket, key, version_tag, size_bytes, subject, subject_source, recorded_at,
            recorded_at_precision, recorded_at_source, uploaded_at, registered_at, state, tenant, tenant_source,
            utc_offset_min, local_day)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n_notes)
        SELECT i, 's3', 'notes', 'notes/' || i || '.ogg', 'v1', 10000, 'person-' || (i % :n_people), 'key',
            CASE WHEN i % 100 <> 0 THEN {moment} END, CASE WHEN i % 100 <> 0 THEN 'second' END,
            CASE WHEN i % 100 <> 0 THEN 'key' ELSE 'unknown' END, {moment}, {moment}, 'LIVE',
            'tenant-' || (i % :n_people % 10), 'key', CASE WHEN i % 100 <> 0 THEN 0 END,
            CASE WHEN i % 100 <> 0 THEN {day} END
        FROM n
    """,
    "jobs": """
        INSERT INTO jobs (id, recording_id, model_id, state, lane, next_run_at_s, reason, created_at, finished_at)
        SELECT id, id, 1, CASE id % 100 WHEN 1 THEN 'DEAD' WHEN 3 THEN 'PENDING' ELSE 'DONE' END, 'bulk', 0,
            CASE id % 100 WHEN 1 THEN 'NOT_AUDIO' END, uploaded_at, CASE WHEN id % 100 <> 3 THEN uploaded_at END
        FROM recordings
    """,
    "results": """
        INSERT INTO results (recording_id, model_id, token, status, anger, happiness, neutral, sadness, label, confidence,
            is_uncertain, n_windows, speech_ms, rejected_ms, duration_ms, trend, created_at, sadness_slope_per_min,
            arousal, valence)
        SELECT id, 1, 'token-' || id, 'SCORED', 0.1, 0.2, 0.3, 0.4, 'sadness', 0.4, {uncertain}, 3, 20000, 0, 24000,
            {json_trend}, uploaded_at, 0.25, 0.5, -0.2
        FROM recordings WHERE id % 100 NOT IN (1, 2, 3)
        UNION ALL
        SELECT id, 1, 'token-' || id, 'NO_SPEECH', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 2000,
            {json_empty}, uploaded_at, NULL, NULL, NULL
        FROM recordings WHERE id % 100 = 2
    """,
    "segments": """
        INSERT INTO segments (recording_id, model_id, idx, start_ms, end_ms, speech_ms, anger, happiness, neutral, sadness)
        WITH RECURSIVE w(idx) AS (SELECT 0 UNION ALL SELECT idx + 1 FROM w WHERE idx < 2)
        SELECT s.recording_id, 1, w.idx, w.idx * 8000, w.idx * 8000 + 8000, 7000, 0.1, 0.2, 0.3, 0.4
        FROM results s CROSS JOIN w WHERE s.status = 'SCORED'
        ORDER BY s.recording_id, w.idx
    """,
    # Of a person's notes those from the eleventh on are scored relative to the first ten.
    "subject_baselines": """
        INSERT INTO subject_baselines (id, tenant, subject, model_id, n_notes, n_effective, n_persons, rule_version, state,
            offset_values, own_values, first_at, last_at, created_at)
        SELECT MIN(id), tenant, subject, 1, 10, 10, 0, 1, 'personal', {json_scores}, {json_scores}, MIN(uploaded_at),
            MIN(uploaded_at), MIN(uploaded_at)
        FROM recordings GROUP BY tenant, subject
    """,
    "relative_results": """
        INSERT INTO relative_results (recording_id, model_id, baseline_id, scores, label, confidence, is_uncertain, related_at)
        SELECT s.recording_id, 1, b.id, {json_scores}, 'sadness', 0.4, {false}, s.created_at
        FROM results s JOIN recordings r ON r.id = s.recording_id
        JOIN subject_baselines b ON b.tenant = r.tenant AND b.subject = r.subject
        WHERE s.status = 'SCORED' AND s.recording_id > 10 * :n_people
    """,
    "subject_days": """
        INSERT INTO subject_days (tenant, subject, model_id, day, week, n_scored, n_uncertain, n_no_speech, n_failed,
            n_pending, speech_ms, scores, relative, levels, arousal, valence, refreshed_at)
        SELECT tenant, subject, 1, local_day, {week}, SUM(CASE WHEN id % 100 NOT IN (1, 2, 3) THEN 1 ELSE 0 END), 0,
            SUM(CASE id % 100 WHEN 2 THEN 1 ELSE 0 END), SUM(CASE id % 100 WHEN 1 THEN 1 ELSE 0 END),
            SUM(CASE id % 100 WHEN 3 THEN 1 ELSE 0 END), 20000, {json_scores}, {json_scores}, {json_levels}, 0.5, -0.2,
            MAX(uploaded_at)
        FROM recordings WHERE local_day IS NOT NULL GROUP BY tenant, subject, local_day
    """,
    # One person in thirteen has shifted in sadness; a chart has a point a day.
    "subject_trends": """
        INSERT INTO subject_trends (tenant, subject, model_id, measure, state, reason, as_of, since, baseline, trend, chart,
            refreshed_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n_people)
        SELECT 'tenant-' || (i % :n_people % 10), 'person-' || (i % :n_people), 1, k.measure,
            CASE WHEN i % 13 = 0 AND k.measure = 'sadness' THEN 'shifted_up' ELSE 'stable' END, 'within_limits', {last_day},
            NULL, NULL, {json_of_person}, {json_chart}, {moment}
        FROM n CROSS JOIN (SELECT 'anger' AS measure UNION SELECT 'happiness' UNION SELECT 'neutral' UNION SELECT 'sadness') k
    """,
    "api_keys": """
        INSERT INTO api_keys (id, tenant, name, key_sha256, scopes, created_at)
        VALUES (1000000, 'tenant-0', 'bench', 'of-a-key-that-nobody-has', {json_empty}, '2026-01-01 00:00:00.000000')
    """,
    # One note in seven was uploaded over HTTP; half of them are no recordings yet.
    "uploads": """
        INSERT INTO uploads (id, tenant, key_id, subject, store, bucket, key, binding, state, created_at, expires_at, recording_id)
        SELECT 'upload-' || id, tenant, 1000000, CASE WHEN id % 14 = 0 THEN subject END, store, bucket, 'uploads/' || id, 'b',
            CASE WHEN id % 14 = 0 THEN 'OPEN' ELSE 'REGISTERED' END, uploaded_at, uploaded_at,
            CASE WHEN id % 14 <> 0 THEN id END
        FROM recordings WHERE id % 7 = 0
    """,
    "changes": """
        INSERT INTO changes (id, position, tenant, kind, recording_id, at)
        SELECT id, id, tenant, 'note.upserted', id, uploaded_at FROM recordings ORDER BY id
    """,
    "change_feed": "UPDATE change_feed SET numbered_to = (SELECT MAX(position) FROM changes)",
}
_WORDS = {
    "postgresql": {
        "moment": "TIMESTAMPTZ '2026-08-15 06:00:00Z' + i / :n_people * INTERVAL '1 day' + i % 997 * INTERVAL '1 minute'",
        "day": "DATE '2026-08-15' + CAST(i / :n_people AS INTEGER)",
        "week": "CAST(date_trunc('week', CAST(local_day AS TIMESTAMP)) AS DATE)",
        "last_day": "DATE '2026-11-23'",
        "true": "TRUE",
        "false": "FALSE",
        "uncertain": "id % 5 = 0",
        "json": "CAST('{}' AS JSONB)",
    },
    "sqlite": {
        "moment": "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-08-15 06:00:00', "
        "(i / :n_people) || ' days', (i % 997) || ' minutes')",
        "day": "date('2026-08-15', (i / :n_people) || ' days')",
        "week": "date(local_day, 'weekday 0', '-6 days')",
        "last_day": "'2026-11-23'",
        "true": "1",
        "false": "0",
        "uncertain": "id % 5 = 0",
        "json": "'{}'",
    },
}
_DOCUMENTS = {
    "json_empty": "{}",
    "json_labels": '["anger", "happiness", "neutral", "sadness"]',
    "json_scores": _SCORES,
    "json_levels": _LEVELS,
    "json_trend": _TREND,
    "json_of_person": _OF_PERSON,
    "json_chart": _CHART,
}


def fill(engine: Engine, *, n_notes: int, n_people: int) -> None:
    """Fill an empty, migrated database, past its triggers, and tell the planner what is there.

    Needs a superuser on PostgreSQL. Note `i` is of `person-(i % n_people)`, a note a day each; whose number is `n` is of
    `tenant-(n % 10)`.
    """
    words = dict(_WORDS[engine.dialect.name])
    form = words.pop("json")
    words |= {name: form.replace("{}", document) for name, document in _DOCUMENTS.items()}
    with engine.begin() as connection:
        triggers = _without_triggers(connection)
        for statement in _STATEMENTS.values():
            sizes = {"n_notes": n_notes, "n_people": n_people}
            # A colon within JSON is no parameter.
            filled = statement.format(**{name: word.replace('": ', '"\\: ') for name, word in words.items()})
            bound = {name: size for name, size in sizes.items() if f":{name}" in filled}
            connection.execute(text(filled), bound)
        for trigger in triggers:
            connection.exec_driver_sql(trigger)
    analyze(engine)


def analyze(engine: Engine) -> None:
    """Tell the planner what is there."""
    with without_transaction(engine) as connection:
        connection.exec_driver_sql("ANALYZE")


def _without_triggers(connection: Connection) -> list[str]:
    """Turn triggers and foreign keys off, and give what turns them on again."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return []
    listed = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in listed:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    return [sql for _, sql in listed]
