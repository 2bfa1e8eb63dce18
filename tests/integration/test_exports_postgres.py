"""The behaviours of tests/unit/test_exports.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_exports import *  # noqa: F403 - the tests themselves

# Of `make test`: one format, and what depends on the snapshot; what writes the files knows no database. The rest is `long`.
IN_MAKE_TEST = (
    "test_duckdb_reads_the_same_numbers_as_the_views_show[parquet-notes]",
    "test_duckdb_reads_the_same_numbers_as_the_views_show[parquet-segments]",
    "test_duckdb_reads_the_same_numbers_as_the_views_show[parquet-days]",
    "test_duckdb_reads_the_same_numbers_as_the_views_show[parquet-trends]",
    "test_another_tenants_rows_are_in_no_export[parquet]",
    "test_only_notes_of_the_chosen_days_and_person_are_exported",
    "test_more_notes_than_a_page_are_all_there_once[parquet]",
    "test_names_come_back_as_they_are[parquet]",
    "test_a_fifth_label_is_in_every_format",
    "test_parquet_has_types_times_in_utc_and_says_which_model_scored",
    "test_relative_scores_stand_beside_what_the_model_hears[parquet]",
    "test_people_whose_days_are_not_made_anew_yet_are_counted",
    "test_what_is_written_meanwhile_is_in_no_table",
    "test_an_export_during_which_somebody_is_erased_is_not_kept",
    "test_what_was_erased_before_is_in_no_file",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
