#!/bin/bash
# Writes the configuration (mode 600: it names who may use Connect), then becomes the broker or the Connect worker.
# The same values as in infra/services/kafka.py and kafka_connect.py; a test holds the two together.
set -euo pipefail
umask 077
cat > "$HOME/log4j2.properties" <<'CONF'
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.debezium.name = io.debezium
logger.debezium.level = info
logger.debezium_config.name = io.debezium.connector.common.BaseSourceTask
logger.debezium_config.level = warn
CONF
java=(java -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError "-Dlog4j2.configurationFile=$HOME/log4j2.properties" -cp '/kafka/*')
agent=$(echo /kafka/jmx_prometheus_javaagent-*.jar)

broker() {
  cat > "$HOME/server.properties" <<'CONF'
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT
num.network.threads=2
num.io.threads=4
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
listeners=PLAINTEXT://0.0.0.0:29092,HOST://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://kafka:29092,HOST://127.0.0.1:9092
controller.quorum.voters=1@127.0.0.1:9093
log.dirs=/data/kafka
CONF
  [ -f /data/kafka/meta.properties ] || "${java[@]}" kafka.tools.StorageTool format \
    --cluster-id="$("${java[@]}" kafka.tools.StorageTool random-uuid)" --config="$HOME/server.properties"
  exec "${java[@]}" "-javaagent:$agent=9404:/metrics/metrics-kafka.yaml" \
    -Xms192m -Xmx384m kafka.Kafka "$HOME/server.properties"
}

connect() {
  printf 'millrace=%s\n' "$MILLRACE_KAFKA_CONNECT_PASSWORD" > "$HOME/users.properties"
  cat > "$HOME/login.conf" <<CONF
KafkaConnect {
  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required
  file="$HOME/users.properties";
};
CONF
  cat > "$HOME/connect.properties" <<'CONF'
group.id=millrace-connect
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
config.storage.topic=_connect_configs
offset.storage.topic=_connect_offsets
status.storage.topic=_connect_status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
exactly.once.source.support=enabled
session.timeout.ms=6000
heartbeat.interval.ms=2000
scheduled.rebalance.max.delay.ms=0
plugin.discovery=service_load
rest.extension.classes=org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern=DEBEZIUM_PASSWORD|WAREHOUSE_DEBEZIUM_PASSWORD
bootstrap.servers=kafka:29092
listeners=http://0.0.0.0:8083
plugin.path=/plugins
CONF
  exec "${java[@]}" -Xms256m -Xmx512m "-Djava.security.auth.login.config=$HOME/login.conf" \
    "-javaagent:$agent=9405:/metrics/metrics-connect.yaml" \
    org.apache.kafka.connect.cli.ConnectDistributed "$HOME/connect.properties"
}

"$1"
