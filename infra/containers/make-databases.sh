#!/bin/bash
# Runs once, when the container's data folder is made: a role and a database each. As infra/services/postgres.py does.
set -euo pipefail
for name in mlflow iceberg warehouse; do
  variable="MILLRACE_${name^^}_DB_PASSWORD"
  psql --username postgres --set ON_ERROR_STOP=1 --set name="$name" --set password="${!variable}" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
