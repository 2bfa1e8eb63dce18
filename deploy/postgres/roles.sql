-- One role for each kind of process, with no more than it needs. Run it as a superuser in Tonalog's own database,
-- before the first `tonalog db upgrade` and again after every one; running it again changes nothing:
--
--   psql -v ON_ERROR_STOP=1 -d tonalog -f deploy/postgres/roles.sql
--
-- The roles have no password, so that nobody can log in yet: `\password tonalog_worker` gives one. Whatever else was
-- granted to these roles on Tonalog's tables is taken away. tests/integration/test_roles.py, test_roles_identity.py,
-- test_roles_limits.py, test_roles_webhooks.py and test_roles_scaler.py hold what each may do.

-- All or nothing: no moment in which a running worker has lost its rights and not got them back.
BEGIN;

-- A superuser runs this, and the migrator may put functions, operators and tables into `public`: were it searched, a better
-- fitting public.format() would run with a superuser's rights. Names of that schema are written out below.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['migrator', 'scheduler', 'worker', 'api', 'http', 'webhooks', 'eraser', 'scaler'] LOOP
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
        'tonalog_migrator, tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_http, tonalog_webhooks, tonalog_eraser, '
        'tonalog_scaler',
        current_database()
    );
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tonalog_scheduler, tonalog_worker, tonalog_api, tonalog_http, tonalog_webhooks,
    tonalog_eraser, tonalog_scaler;
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
        WHERE p.pronamespace = 'public'::regnamespace
            AND (p.prorettype = 'trigger'::regtype OR p.proname = 'check_extra_scores')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') -- of an extension
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO tonalog_migrator', thing.name);
    END LOOP;
END $$;

-- What one role may use up, so that no other goes without.
DO $$
DECLARE
    given record;
BEGIN
    -- Of 100 connections (PostgreSQL's default) 5 are left to the server's owner. A pool process of a worker holds two at the
    -- most. A limit that somebody else has set stays.
    FOR given IN SELECT * FROM (VALUES
        ('migrator', 4), ('scheduler', 15), ('worker', 40), ('api', 10), ('http', 10), ('webhooks', 10),
        ('eraser', 4), ('scaler', 2)
    ) AS listed (role, n_connections)
    LOOP
        IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tonalog_' || given.role) = -1 THEN
            EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', 'tonalog_' || given.role, given.n_connections);
        END IF;
    END LOOP;
    -- A session may lift its own time limits; the one of temporary files it cannot. transaction_timeout is of PostgreSQL 17.
    FOR given IN SELECT listed.* FROM (VALUES
        ('api', 'statement_timeout', '30s'),
        ('api', 'lock_timeout', '5s'),
        ('api', 'idle_in_transaction_session_timeout', '30s'),
        ('api', 'transaction_timeout', '60s'),
        ('api', 'temp_file_limit', '1GB'),
        ('http', 'statement_timeout', '30s'),
        ('http', 'lock_timeout', '5s'),
        ('http', 'idle_in_transaction_session_timeout', '30s'),
        ('http', 'transaction_timeout', '60s'),
        ('http', 'temp_file_limit', '1GB'),
        ('webhooks', 'statement_timeout', '60s'),
        ('webhooks', 'lock_timeout', '30s'),
        ('webhooks', 'idle_in_transaction_session_timeout', '30s'),
        ('webhooks', 'transaction_timeout', '60s'),
        ('webhooks', 'temp_file_limit', '1GB'),
        ('worker', 'statement_timeout', '60s'),
        ('worker', 'lock_timeout', '30s'),
        ('worker', 'idle_in_transaction_session_timeout', '60s'),
        ('worker', 'transaction_timeout', '120s'),
        ('worker', 'temp_file_limit', '1GB'),
        ('scheduler', 'statement_timeout', '1h'),
        ('scheduler', 'lock_timeout', '30s'),
        ('scheduler', 'idle_in_transaction_session_timeout', '60s'),
        ('scheduler', 'temp_file_limit', '8GB'),
        ('eraser', 'statement_timeout', '1h'),
        ('eraser', 'lock_timeout', '30s'),
        ('eraser', 'idle_in_transaction_session_timeout', '60s'),
        ('eraser', 'temp_file_limit', '8GB'),
        ('scaler', 'statement_timeout', '10s'),
        ('scaler', 'lock_timeout', '5s'),
        ('scaler', 'idle_in_transaction_session_timeout', '10s'),
        ('scaler', 'transaction_timeout', '30s'),
        ('scaler', 'temp_file_limit', '1GB'),
        ('migrator', 'lock_timeout', '30s'), -- an upgrade that waits for a lock holds up everybody behind it
        ('migrator', 'idle_in_transaction_session_timeout', '60s')
    ) AS listed (role, setting, value) JOIN pg_settings s ON s.name = listed.setting
    -- Names of people are parameters and rows: however much the server logs, these are not in it.
    UNION ALL SELECT role, setting, value FROM (VALUES
        ('log_parameter_max_length', '0'), ('log_parameter_max_length_on_error', '0'), ('log_error_verbosity', 'terse')
    ) AS quiet (setting, value) CROSS JOIN unnest(ARRAY['migrator', 'scheduler', 'worker', 'api', 'http', 'webhooks', 'eraser', 'scaler']) AS role
    LOOP
        EXECUTE format(
            'ALTER ROLE %I IN DATABASE %I SET %I = %L',
            'tonalog_' || given.role, current_database(), given.setting, given.value
        );
    END LOOP;
END $$;

-- Functions that everybody may call and that reach beyond the caller's own rows: advisory locks hold up whoever takes the
-- same number, large objects and messages in the write-ahead log fill the disk. Only who needs a lock gets it back.
DO $$
DECLARE
    thing record;
BEGIN
    FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (
            p.proname LIKE '%advisory%' OR p.proname LIKE 'lo\_%' OR p.proname IN ('loread', 'lowrite')
            OR p.proname IN ('pg_logical_emit_message', 'pg_export_snapshot')
        )
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', thing.name);
        IF thing.name::text IN ('pg_advisory_xact_lock(bigint)', 'pg_try_advisory_xact_lock(bigint)') THEN
            EXECUTE format(
                'GRANT EXECUTE ON FUNCTION %s TO tonalog_migrator, tonalog_scheduler, tonalog_eraser', thing.name
            );
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, tonalog_scheduler, tonalog_worker, tonalog_api,
    tonalog_http, tonalog_webhooks, tonalog_eraser, tonalog_scaler;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, tonalog_scheduler, tonalog_worker, tonalog_api,
    tonalog_http, tonalog_webhooks, tonalog_eraser, tonalog_scaler;

DO $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT * FROM (VALUES
        -- The worker claims, renews and ends jobs, and writes results that it can neither change nor read.
        ('worker', 'SELECT', 'alembic_version'),
        ('worker', 'SELECT', 'schema_compatibility'),
        ('worker', 'SELECT', 'recordings'),
        ('worker', 'SELECT', 'models'),
        ('worker', 'SELECT, UPDATE (state, attempts, failures, transients, first_transient_at_s, lease_token, '
            'lease_until_s, worker, next_run_at_s, queued_at_s, queue_count, reason, detail, finished_at)', 'jobs'),
        ('worker', 'SELECT, INSERT, UPDATE (ended_at, outcome, reason, detail, wall_ms, peak_rss_kib)', 'attempts'),
        ('worker', 'SELECT (recording_id), INSERT', 'results'),
        ('worker', 'INSERT', 'segments'),
        ('worker', 'USAGE', 'attempts_id_seq'),
        -- Its process says that it is alive, and takes that back when it stops.
        ('worker', 'SELECT, INSERT, UPDATE, DELETE', 'worker_pulses'),
        -- The scheduler registers recordings, corrects who speaks in them and when, makes, enqueues and takes back jobs.
        -- It is the operator's role too: scan, status, dead, retry, reprocess, batches, show, trends, identify and subjects list,
        -- rename and merge need no more.
        ('scheduler', 'SELECT', 'alembic_version'),
        ('scheduler', 'SELECT', 'schema_compatibility'),
        ('scheduler', 'SELECT, INSERT, UPDATE (state, uploaded_at, subject, subject_source, recorded_at, '
            'recorded_at_precision, recorded_at_source)', 'recordings'),
        ('scheduler', 'UPDATE (tenant, tenant_source, utc_offset_min, recorded_at_zone, local_day, identity_tag)',
            'recordings'),
        ('scheduler', 'SELECT, INSERT', 'identity_changes'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE (subject)', 'subject_aliases'),
        ('scheduler', 'SELECT', 'models'),
        ('scheduler', 'SELECT', 'model_activations'),
        ('scheduler', 'SELECT', 'model_ends'),
        ('scheduler', 'SELECT', 'model_readers'),
        ('scheduler', 'SELECT, INSERT, UPDATE (state, lane, failures, transients, first_transient_at_s, lost_count, '
            'lease_token, lease_until_s, worker, next_run_at_s, queued_at_s, queue_count, reason, detail, finished_at)',
            'jobs'),
        -- It plans and holds up batches of reprocessing; a worker looks whether the batch of a job may go on.
        ('scheduler', 'UPDATE (batch_id)', 'jobs'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'batches'),
        ('scheduler', 'USAGE', 'batches_id_seq'),
        ('worker', 'SELECT (id, state)', 'batches'),
        ('scheduler', 'SELECT, UPDATE (ended_at, outcome, reason)', 'attempts'),
        ('scheduler', 'SELECT', 'results'),
        ('scheduler', 'SELECT', 'segments'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'schedule_slots'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'pulses'),
        ('scheduler', 'SELECT, INSERT, UPDATE', 'drift_nights'),
        ('scheduler', 'SELECT', 'erasures'),
        ('scheduler', 'SELECT', 'erasure_objects'),
        ('scheduler', 'SELECT, DELETE', 'removed_audio'),
        ('scheduler', 'SELECT, INSERT', 'subject_keys'),
        ('scheduler', 'SELECT', 'v1_note'),
        ('scheduler', 'SELECT', 'v1_segment'),
        ('scheduler', 'SELECT', 'v1_subject_day'),
        ('scheduler', 'SELECT', 'v1_subject_trend'),
        ('scheduler', 'SELECT', 'v1_change'),
        ('scheduler', 'USAGE', 'recordings_id_seq'),
        ('scheduler', 'USAGE', 'identity_changes_id_seq'),
        ('scheduler', 'USAGE', 'jobs_id_seq'),
        -- It watches over the system: who is alive, what failed, alerts, nights, and mail to the operator.
        ('scheduler', 'SELECT, DELETE', 'worker_pulses'),
        ('scheduler', 'SELECT, INSERT, UPDATE, DELETE', 'slot_failures'),
        ('scheduler', 'SELECT, INSERT, UPDATE (closed_at), DELETE', 'alerts'),
        ('scheduler', 'SELECT, INSERT, UPDATE (upto_job_id, scanned_at, reported_at, summary), DELETE', 'nights'),
        ('scheduler', 'SELECT, INSERT, UPDATE (n_attempts, next_at_s, sent_at, error), DELETE', 'mails'),
        ('scheduler', 'USAGE', 'alerts_id_seq'),
        ('scheduler', 'USAGE', 'mails_id_seq'),
        -- An app backend reads the views.
        ('api', 'SELECT', 'v1_note'),
        ('api', 'SELECT', 'v1_segment'),
        ('api', 'SELECT', 'v1_subject_day'),
        ('api', 'SELECT', 'v1_subject_trend'),
        ('api', 'SELECT', 'v1_change'),
        -- `tonalog api` reads what it shows and no place in storage, numbers the feed of changes, and writes the audit of
        -- what keys asked for. To erase too (DELETE of a person) it needs `GRANT tonalog_eraser TO tonalog_http`.
        ('http', 'SELECT', 'alembic_version'),
        ('http', 'SELECT', 'schema_compatibility'),
        ('http', 'SELECT (id, tenant, subject, recorded_at, recorded_at_precision, recorded_at_source, utc_offset_min, '
            'recorded_at_zone, local_day, uploaded_at, state)', 'recordings'),
        ('http', 'SELECT', 'models'),
        ('http', 'SELECT', 'model_ends'),
        ('http', 'SELECT', 'model_readers'),
        ('http', 'SELECT (id, recording_id, model_id, lane, state, reason)', 'jobs'),
        ('http', 'SELECT', 'results'),
        ('http', 'SELECT', 'segments'),
        ('http', 'SELECT', 'subject_aliases'),
        ('http', 'SELECT', 'subject_keys'),
        ('http', 'SELECT', 'erasures'),
        ('http', 'SELECT (id, erasure_id)', 'erasure_objects'),
        ('http', 'SELECT', 'erasure_requests'),
        ('http', 'SELECT (tenant, subject)', 'subject_marks'),
        ('http', 'SELECT', 'api_keys'),
        ('http', 'INSERT', 'api_audit'),
        ('http', 'SELECT, UPDATE (position)', 'changes'),
        ('http', 'SELECT, UPDATE (numbered_to)', 'change_feed'),
        ('http', 'USAGE', 'api_audit_id_seq'),
        -- It manages the endpoints of webhooks and cannot read their secrets; an event is written with what it is about.
        ('http', 'SELECT, INSERT, DELETE, UPDATE (url, description, events, disabled_at, disabled_reason, failing_since)',
            'webhook_endpoints'),
        ('http', 'SELECT (id, endpoint_id, created_at, expires_at), INSERT, UPDATE (expires_at)', 'webhook_secrets'),
        ('http', 'SELECT, INSERT', 'webhook_deliveries'),
        ('http', 'USAGE', 'webhook_endpoints_id_seq'),
        ('http', 'USAGE', 'webhook_secrets_id_seq'),
        ('http', 'USAGE', 'webhook_deliveries_id_seq'),
        ('scheduler', 'SELECT (tenant, disabled_at)', 'webhook_endpoints'),
        ('scheduler', 'SELECT (at), INSERT, DELETE', 'webhook_events'),
        ('scheduler', 'USAGE', 'webhook_events_id_seq'),
        ('eraser', 'SELECT (tenant, disabled_at)', 'webhook_endpoints'),
        ('eraser', 'INSERT', 'webhook_events'),
        ('eraser', 'USAGE', 'webhook_events_id_seq'),
        -- `tonalog webhooks` alone reads the secrets. Of a recording it sees whose it is, and no score and no place.
        ('webhooks', 'SELECT', 'alembic_version'),
        ('webhooks', 'SELECT', 'schema_compatibility'),
        ('webhooks', 'SELECT (id, tenant, subject, state)', 'recordings'),
        ('webhooks', 'SELECT, UPDATE (disabled_at, disabled_reason, failing_since)', 'webhook_endpoints'),
        ('webhooks', 'SELECT, DELETE', 'webhook_secrets'),
        ('webhooks', 'SELECT, DELETE', 'webhook_events'),
        ('webhooks', 'SELECT, INSERT, DELETE, UPDATE (state, n_attempts, next_at_s, lease_token, attempted_at, '
            'response_status, error, finished_at)', 'webhook_deliveries'),
        ('webhooks', 'USAGE', 'webhook_deliveries_id_seq'),
        -- It writes uploads down and hands them to the scheduler, which alone registers recordings.
        ('http', 'SELECT, INSERT, UPDATE (state, received_at)', 'uploads'),
        ('http', 'SELECT, INSERT, DELETE, UPDATE (request_sha256, token, status, answer, resource, subject, created_at)',
            'idempotent_requests'),
        ('scheduler', 'SELECT, DELETE, UPDATE (state, subject, reason, recording_id)', 'uploads'),
        ('scheduler', 'SELECT (key_id, key_sha256, created_at, tenant, subject), DELETE, UPDATE (subject)',
            'idempotent_requests'),
        -- Notifications of new objects: the HTTP API writes them down and cannot read them.
        ('http', 'SELECT (id), INSERT', 'object_hints'),
        ('http', 'USAGE', 'object_hints_id_seq'),
        ('scheduler', 'SELECT, DELETE, UPDATE (due_at, n_looks)', 'object_hints'),
        ('eraser', 'SELECT (id), DELETE', 'object_hints'),
        -- Exports over HTTP: `person` needs more, see docs/exports.md. Who is behind says only how many people.
        ('http', 'SELECT, INSERT, UPDATE, DELETE', 'exports'),
        ('http', 'USAGE', 'exports_id_seq'),
        ('scheduler', 'SELECT (subject), UPDATE (subject)', 'exports'),
        ('eraser', 'SELECT (tenant, subject, file_token), DELETE', 'exports'),
        -- The scheduler numbers the feed and deletes what is old of it and of the audit; a rename follows into the audit.
        ('scheduler', 'SELECT, DELETE, UPDATE (position)', 'changes'),
        ('scheduler', 'SELECT, UPDATE (numbered_to, expired_to)', 'change_feed'),
        ('scheduler', 'SELECT (id, at, tenant, subject), DELETE, UPDATE (subject)', 'api_audit'),
        -- The scheduler computes what is kept of people from their notes; it can retire a baseline and not change one.
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE (subject, retired_at)', 'subject_baselines'),
        ('scheduler', 'SELECT, INSERT', 'baseline_notes'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE (baseline_id, scores, label, confidence, is_uncertain, related_at)',
            'relative_results'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE', 'subject_days'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE', 'subject_trends'),
        ('scheduler', 'SELECT, INSERT, DELETE, UPDATE (subject)', 'subject_marks'),
        ('scheduler', 'USAGE', 'subject_baselines_id_seq'),
        ('scheduler', 'USAGE', 'subject_marks_id_seq'),
        ('http', 'SELECT', 'subject_baselines'),
        ('http', 'SELECT', 'relative_results'),
        ('http', 'SELECT', 'subject_days'),
        ('http', 'SELECT', 'subject_trends'),
        ('eraser', 'SELECT, DELETE', 'subject_baselines'),
        ('eraser', 'SELECT', 'baseline_notes'),
        ('eraser', 'SELECT, DELETE', 'subject_days'),
        ('eraser', 'SELECT, DELETE', 'subject_trends'),
        ('eraser', 'SELECT, DELETE', 'subject_marks'),
        -- What adds workers asks how much audio waits (db/backlog.py): sizes, lengths and states, of nobody.
        ('scaler', 'SELECT (recording_id, state)', 'jobs'),
        ('scaler', 'SELECT (id, size_bytes)', 'recordings'),
        ('scaler', 'SELECT (recording_id, duration_ms)', 'results'),
        -- The eraser alone deletes scores; it can neither score nor register.
        ('eraser', 'SELECT', 'alembic_version'),
        ('eraser', 'SELECT', 'schema_compatibility'),
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
        ('eraser', 'SELECT (tenant, subject), UPDATE (subject)', 'api_audit'),
        ('eraser', 'INSERT', 'erasure_requests'),
        ('eraser', 'SELECT, UPDATE (state, subject, reason)', 'uploads'),
        ('eraser', 'SELECT (tenant, subject), DELETE', 'idempotent_requests'),
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
        'results', 'segments', 'jobs', 'attempts', 'api_audit', 'subject_baselines', 'baseline_notes', 'relative_results',
        'subject_days', 'subject_trends', 'subject_marks', 'uploads', 'object_hints', 'idempotent_requests', 'exports']
    LOOP
        IF current_setting('server_version_num')::int >= 170000 AND to_regclass('public.' || name) IS NOT NULL THEN
            EXECUTE format('GRANT MAINTAIN ON TABLE public.%I TO tonalog_eraser', name);
        END IF;
    END LOOP;
END $$;

-- Whose rows a role sees. `tonalog_http` sees those of the tenant that its transaction names (db/tenancy.py). Whoever reads the
-- views sees those of the tenant that `reader_tenants` binds the role to, or nothing: a setting would be the reader's to change.
-- The views belong to a role of their own, which nobody logs in as, since the owner of a table is above its policies. They are of
-- rows, and not of views, so that no function of a reader's own is run on a row that the reader may not see.
DO $$
DECLARE
    thing record;
    of_tenant text;
    by_setting CONSTANT text := 'OR tenant = (SELECT current_setting(''tonalog.tenant'', true)) '
        'OR (SELECT current_setting(''tonalog.every_tenant'', true) = ''on'')';
    by_role CONSTANT text := 'OR tenant = (SELECT CASE current_user WHEN ''tonalog_http'' '
        'THEN current_setting(''tonalog.tenant'', true) '
        'ELSE (SELECT b.tenant FROM public.reader_tenants b WHERE b.role = current_user) END) OR (SELECT '
        'current_setting(''is_superuser'') = ''on'' '
        'OR current_user = ''tonalog_http'' AND current_setting(''tonalog.every_tenant'', true) = ''on'' '
        'OR EXISTS (SELECT FROM public.reader_tenants b WHERE b.role = current_user AND b.tenant IS NULL))';
BEGIN
    IF to_regclass('public.reader_tenants') IS NULL THEN
        RETURN; -- before the first upgrade, or of an older schema
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tonalog_views') THEN
        CREATE ROLE tonalog_views NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    GRANT tonalog_views TO tonalog_migrator; -- which makes the views anew
    GRANT USAGE, CREATE ON SCHEMA public TO tonalog_views;
    INSERT INTO public.reader_tenants (role, tenant)
    VALUES ('tonalog_api', 'default'), ('tonalog_scheduler', NULL), ('tonalog_migrator', NULL)
    ON CONFLICT DO NOTHING;
    FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' AND c.relname LIKE 'v1\_%'
    LOOP
        EXECUTE format('ALTER VIEW %s OWNER TO tonalog_views', thing.name);
    END LOOP;
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM tonalog_views;
    GRANT SELECT (id, tenant, subject, recorded_at, recorded_at_precision, recorded_at_source, utc_offset_min,
        recorded_at_zone, local_day, uploaded_at, state) ON public.recordings TO tonalog_views;
    GRANT SELECT (recording_id, model_id, state, reason) ON public.jobs TO tonalog_views;
    GRANT SELECT ON public.models, public.results, public.segments, public.changes, public.reader_tenants,
        public.subject_baselines, public.relative_results, public.subject_days, public.subject_trends TO tonalog_views;
    FOR thing IN SELECT c.oid::regclass AS name, bool_or(a.attname = 'tenant') AS has_tenant FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('tenant', 'recording_id') AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'reader_tenants'
        GROUP BY c.oid
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', thing.name);
        -- Everybody goes on as before; the other two take away.
        EXECUTE format('DROP POLICY IF EXISTS everybody ON %s', thing.name);
        EXECUTE format('CREATE POLICY everybody ON %s USING (true)', thing.name);
        -- A row without a tenant is of all of them; one of a recording is seen by who sees the recording.
        of_tenant := CASE WHEN thing.has_tenant THEN 'tenant IS NULL %s'
            ELSE format('EXISTS (SELECT FROM public.recordings r WHERE r.id = %s.recording_id)', thing.name) END;
        EXECUTE format('DROP POLICY IF EXISTS of_the_tenant ON %s', thing.name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %s AS RESTRICTIVE FOR SELECT TO tonalog_http USING (%s)',
            thing.name, replace(of_tenant, '%s', by_setting));
        EXECUTE format('DROP POLICY IF EXISTS of_the_reader ON %s', thing.name);
        EXECUTE format('CREATE POLICY of_the_reader ON %s AS RESTRICTIVE FOR SELECT TO tonalog_views USING (%s)',
            thing.name, replace(of_tenant, '%s', by_role));
    END LOOP;
END $$;

COMMIT;
