-- One role for each kind of process, with no more than it needs. Run it as a superuser in Tonalog's own database,
-- before the first `tonalog db upgrade` and again after every one; running it again changes nothing:
--
--   psql -v ON_ERROR_STOP=1 -d tonalog -f deploy/postgres/roles.sql
--
-- The roles have no password, so that nobody can log in yet: `\password tonalog_worker` gives one. Whatever else was
-- granted to these roles on Tonalog's tables is taken away. tests/integration/test_roles.py and test_roles_identity.py hold what each may do.

-- All or nothing: no moment in which a running worker has lost its rights and not got them back.
BEGIN;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['migrator', 'scheduler', 'worker', 'api', 'eraser'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tonalog_' || role) THEN
            EXECUTE format(
                'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS',
                'tonalog_' || role
            );
        END IF;
    END LOOP;
    -- Before PostgreSQL 15 everybody might make tables in `public`; in every version everybody may make temporary ones.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO '
        'tonalog_migrator, tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_eraser', current_database()
    );
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_eraser;
GRANT USAGE, CREATE ON SCHEMA public TO tonalog_migrator;

-- The migrator owns everything, so that it alone changes the schema. A view reads with its owner's rights: that is how
-- `tonalog_api` sees the views and none of the tables under them.
DO $$
DECLARE
    thing record;
BEGIN
    FOR thing IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE format(
            'ALTER %s %s OWNER TO tonalog_migrator', CASE thing.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, thing.name
        );
    END LOOP;
    FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname = 'refuse_update'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO tonalog_migrator', thing.name);
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_eraser;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_eraser;

DO $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT * FROM (VALUES
        -- The worker claims, renews and ends jobs, and writes results that it can neither change nor read.
        ('worker', 'SELECT', 'alembic_version'),
        ('worker', 'SELECT', 'recordings'),
        ('worker', 'SELECT', 'models'),
        ('worker', 'SELECT, UPDATE (state, attempts, failures, transients, first_transient_at_s, lease_token, '
            'lease_until_s, worker, next_run_at_s, queued_at_s, queue_count, reason, detail, finished_at)', 'jobs'),
        ('worker', 'SELECT, INSERT, UPDATE (ended_at, outcome, reason, detail, wall_ms, peak_rss_kib)', 'attempts'),
        ('worker', 'SELECT (recording_id), INSERT', 'results'),
        ('worker', 'INSERT', 'segments'),
        ('worker', 'USAGE', 'attempts_id_seq'),
        -- The scheduler registers recordings, corrects who speaks in them and when, makes, enqueues and takes back jobs.
        -- It is the operator's role too: scan, status, dead, retry, reprocess, show, trends, identify and subjects list,
        -- rename and merge need no more.
        ('scheduler', 'SELECT', 'alembic_version'),
        ('scheduler', 'SELECT, INSERT, UPDATE (state, uploaded_at, subject, subject_source, recorded_at, '
            'recorded_at_precision, recorded_at_source)', 'recordings'),
        ('scheduler', 'UPDATE (tenant, tenant_source, utc_offset_min, recorded_at_zone, local_day, identity_tag)',
            'recordings'),
        ('scheduler', 'SELECT, INSERT', 'identity_changes'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE (subject)', 'subject_aliases'),
        ('scheduler', 'SELECT', 'models'),
        ('scheduler', 'SELECT, INSERT, UPDATE (state, lane, failures, transients, first_transient_at_s, lost_count, '
            'lease_token, lease_until_s, worker, next_run_at_s, queued_at_s, queue_count, reason, detail, finished_at)',
            'jobs'),
        ('scheduler', 'SELECT, UPDATE (ended_at, outcome, reason)', 'attempts'),
        ('scheduler', 'SELECT', 'results'),
        ('scheduler', 'SELECT', 'segments'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'schedule_slots'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'pulses'),
        ('scheduler', 'SELECT', 'erasures'),
        ('scheduler', 'SELECT', 'erasure_objects'),
        ('scheduler', 'SELECT, DELETE', 'removed_audio'),
        ('scheduler', 'SELECT, INSERT', 'subject_keys'),
        ('scheduler', 'SELECT', 'v1_note'),
        ('scheduler', 'SELECT', 'v1_segment'),
        ('scheduler', 'SELECT', 'v1_subject_day'),
        ('scheduler', 'USAGE', 'recordings_id_seq'),
        ('scheduler', 'USAGE', 'identity_changes_id_seq'),
        ('scheduler', 'USAGE', 'jobs_id_seq'),
        -- An app backend reads the views.
        ('api', 'SELECT', 'v1_note'),
        ('api', 'SELECT', 'v1_segment'),
        ('api', 'SELECT', 'v1_subject_day'),
        -- The eraser alone deletes scores; it can neither score nor register.
        ('eraser', 'SELECT', 'alembic_version'),
        ('eraser', 'SELECT, UPDATE (bucket, key, version_tag, size_bytes, subject, subject_source, recorded_at, '
            'recorded_at_precision, recorded_at_source, uploaded_at, state)', 'recordings'),
        ('eraser', 'UPDATE (tenant, tenant_source, utc_offset_min, recorded_at_zone, local_day, identity_tag)',
            'recordings'),
        ('eraser', 'SELECT, UPDATE (state, lease_token, lease_until_s, queued_at_s, reason, detail, finished_at)', 'jobs'),
        ('eraser', 'SELECT, UPDATE (ended_at, outcome, reason, detail)', 'attempts'),
        ('eraser', 'SELECT, DELETE', 'results'),
        ('eraser', 'SELECT, DELETE', 'segments'),
        ('eraser', 'SELECT, INSERT, UPDATE (finished_at, n_recordings, n_results, n_objects)', 'erasures'),
        ('eraser', 'SELECT, INSERT, DELETE', 'erasure_objects'),
        ('eraser', 'SELECT, INSERT, DELETE', 'removed_audio'),
        ('eraser', 'SELECT', 'subject_keys'),
        ('eraser', 'SELECT, DELETE', 'identity_changes'),
        ('eraser', 'SELECT, DELETE', 'subject_aliases'),
        ('eraser', 'USAGE', 'erasures_id_seq'),
        ('eraser', 'USAGE', 'erasure_objects_id_seq')
    ) AS listed (role, rights, name)
    LOOP
        -- Before the first upgrade there are no tables; an older schema lacks some, or some of their columns.
        IF to_regclass('public.' || given.name) IS NOT NULL THEN
            BEGIN
                EXECUTE format(
                    'GRANT %s ON %s public.%I TO %I', given.rights,
                    CASE WHEN given.name LIKE '%\_seq' THEN 'SEQUENCE' ELSE 'TABLE' END, given.name,
                    'tonalog_' || given.role
                );
            EXCEPTION WHEN undefined_column THEN
                RAISE NOTICE 'the schema is older than this file: run `tonalog db upgrade`, then this file again';
            END;
        END IF;
    END LOOP;
END $$;

-- Whoever erases cleans the tables afterwards (VACUUM, ANALYZE), so that no statistic keeps a name. Before PostgreSQL 17 only
-- their owner may.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['recordings', 'identity_changes', 'subject_aliases', 'erasure_objects', 'removed_audio',
        'results', 'segments', 'jobs', 'attempts']
    LOOP
        IF current_setting('server_version_num')::int >= 170000 AND to_regclass('public.' || name) IS NOT NULL THEN
            EXECUTE format('GRANT MAINTAIN ON TABLE public.%I TO tonalog_eraser', name);
        END IF;
    END LOOP;
END $$;

COMMIT;
