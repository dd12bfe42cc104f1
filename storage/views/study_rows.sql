-- Filled from the studies' records when the store is opened.
create table study_rows (
    study varchar, version bigint, is_current boolean, title varchar, source_path varchar,
    source_sha256 varchar, overrides varchar, launch varchar, recorded_at timestamp,
    code_version varchar
);
