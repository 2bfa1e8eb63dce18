"""How much audio is ready to be scored, in seconds: one query for operators, and for what adds workers."""

from sqlalchemy import Engine, text

from db.engine import reading

# A recording's length is known once it is decoded. Until then its size says it, at the milliseconds per byte of the newest
# results, or at 32 kbit/s where nothing has been scored. PENDING jobs wait for their time, for a place below the queue's cap
# or for an operator: more workers would not score them sooner. The role tonalog_scaler may read these columns and no other.
AUDIO_S = """\
SELECT CAST(COALESCE(SUM(waiting.size_bytes), 0) * (
    SELECT COALESCE(SUM(newest.duration_ms) * 1.0 / NULLIF(SUM(newest.size_bytes), 0), 0.25) FROM (
        SELECT results.duration_ms, recordings.size_bytes
        FROM results JOIN recordings ON recordings.id = results.recording_id
        ORDER BY results.recording_id DESC LIMIT 1000
    ) AS newest
) / 1000 AS BIGINT) + CASE WHEN COUNT(*) > 0 THEN 1 ELSE 0 END AS audio_s
FROM jobs JOIN recordings AS waiting ON waiting.id = jobs.recording_id
WHERE jobs.state IN ('QUEUED', 'RUNNING')
"""


def audio_s(engine: Engine) -> int:
    """Return the seconds of audio that are queued or being scored, within 2 s; more than 0 where there is any."""
    with reading(engine) as connection:
        return int(connection.execute(text(AUDIO_S)).scalar_one())
