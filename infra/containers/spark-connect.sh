#!/bin/bash
# Writes the catalog's configuration from the environment (mode 600, not into the arguments), then becomes the server.
# The same values as in infra/services/spark.py; a test holds the two together.
set -euo pipefail
umask 077
export SPARK_CONF_DIR=$HOME/conf
mkdir -p "$SPARK_CONF_DIR"
cat > "$SPARK_CONF_DIR/spark-defaults.conf" <<CONF
spark.master local[2]
spark.driver.memory 2g
spark.driver.extraJavaOptions -Duser.timezone=UTC -XX:+UseParallelGC -XX:-DontCompileHugeMethods -XX:+ExitOnOutOfMemoryError
spark.ui.enabled false
spark.sql.ui.retainedExecutions 20
spark.ui.retainedJobs 100
spark.ui.retainedStages 100
spark.ui.retainedTasks 1000
spark.sql.session.timeZone UTC
spark.sql.codegen.cache.maxEntries 1000
spark.sql.inMemoryColumnarStorage.compressed false
spark.sql.shuffle.partitions 4
spark.connect.grpc.binding.address 0.0.0.0
spark.connect.grpc.binding.port 15002
spark.redaction.regex (?i)secret|password|token|access.?key
spark.jars $(echo /jars/*.jar | tr ' ' ',')
spark.sql.extensions org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions
spark.sql.defaultCatalog lake
spark.sql.catalog.lake org.apache.iceberg.spark.SparkCatalog
spark.sql.catalog.lake.type jdbc
spark.sql.catalog.lake.uri jdbc:postgresql://warehouse:15432/iceberg
spark.sql.catalog.lake.jdbc.user iceberg
spark.sql.catalog.lake.jdbc.password $MILLRACE_ICEBERG_DB_PASSWORD
spark.sql.catalog.lake.jdbc.schema-version V1
spark.sql.catalog.lake.warehouse s3://lake/warehouse
spark.sql.catalog.lake.io-impl org.apache.iceberg.aws.s3.S3FileIO
spark.sql.catalog.lake.cache-enabled false
spark.sql.catalog.lake.client.region us-east-1
spark.sql.catalog.lake.s3.endpoint http://minio:9000
spark.sql.catalog.lake.s3.path-style-access true
spark.sql.catalog.lake.s3.access-key-id $MILLRACE_S3_ACCESS_KEY
spark.sql.catalog.lake.s3.secret-access-key $MILLRACE_S3_SECRET_KEY
CONF
exec "$SPARK_HOME/bin/spark-submit" --class org.apache.spark.sql.connect.service.SparkConnectServer \
  --name millrace spark-internal
