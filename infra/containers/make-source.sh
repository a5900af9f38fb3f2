#!/bin/bash
# Runs once, when the container's data folder is made: the source database and its roles, as
# infra/services/source_database.py does. The tables come from the contracts (the service `connectors`).
set -euo pipefail
psql --username postgres --set ON_ERROR_STOP=1 \
  --set application="$MILLRACE_SOURCE_APPLICATION_PASSWORD" --set debezium="$MILLRACE_SOURCE_DEBEZIUM_PASSWORD" \
  --set extract="$MILLRACE_SOURCE_EXTRACT_PASSWORD" <<'SQL'
CREATE ROLE application LOGIN PASSWORD :'application';
CREATE ROLE debezium LOGIN REPLICATION PASSWORD :'debezium';
CREATE ROLE extract LOGIN PASSWORD :'extract';
CREATE DATABASE source OWNER postgres;
REVOKE ALL ON DATABASE source FROM PUBLIC;
GRANT CONNECT ON DATABASE source TO application, debezium, extract;
SQL
