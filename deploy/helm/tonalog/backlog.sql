SELECT CAST(COALESCE(SUM(waiting.size_bytes), 0) * (
    SELECT COALESCE(SUM(newest.duration_ms) * 1.0 / NULLIF(SUM(newest.size_bytes), 0), 0.25) FROM (
        SELECT results.duration_ms, recordings.size_bytes
        FROM results JOIN recordings ON recordings.id = results.recording_id
        ORDER BY results.recording_id DESC LIMIT 1000
    ) AS newest
) / 1000 AS BIGINT) + CASE WHEN COUNT(*) > 0 THEN 1 ELSE 0 END AS audio_s
FROM jobs JOIN recordings AS waiting ON waiting.id = jobs.recording_id
WHERE jobs.state IN ('QUEUED', 'RUNNING')
