-- Besides the ledger's, which the image makes: Prefect's, and that of the Iceberg catalog.
CREATE DATABASE prefect;
CREATE DATABASE iceberg;
\connect iceberg
\include /iceberg_catalog.sql
