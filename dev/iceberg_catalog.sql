-- The tables of an Iceberg JDBC catalog on PostgreSQL, and a guard without which a lost connection can destroy a table.
--
-- A commit is one UPDATE of the row of its table. When the connection breaks before the answer comes, Iceberg 1.11 sends
-- the UPDATE again; it finds no row any more, because the first one was carried out, and Iceberg takes that for the
-- commit of somebody else: it deletes the files of its own commit, which is the table's by then
-- (apache/iceberg#14583). With the guard an UPDATE that finds no row is an error that says nothing of the commit. So
-- nothing is deleted, and whoever commits has to look.
--
-- Run it once in the catalog's database, before or after the catalog was first used; again does no harm.

CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name varchar(255) NOT NULL,
    table_namespace varchar(255) NOT NULL,
    table_name varchar(255) NOT NULL,
    metadata_location varchar(1000),
    previous_metadata_location varchar(1000),
    iceberg_type varchar(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);

CREATE OR REPLACE FUNCTION autoloader_commit_found_no_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM committed) THEN
        RAISE EXCEPTION 'the commit found no row to change: look whether it is in the table';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER autoloader_commit_found_no_row
    AFTER UPDATE ON iceberg_tables REFERENCING NEW TABLE AS committed
    FOR EACH STATEMENT EXECUTE FUNCTION autoloader_commit_found_no_row();
