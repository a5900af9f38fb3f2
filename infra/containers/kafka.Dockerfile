# Kafka's broker and Connect with Debezium: the jars of the native stack. `kafka.sh broker` or `kafka.sh connect`.
FROM maven:3.9-eclipse-temurin-17 AS jars
WORKDIR /build
COPY infra/java/kafka.xml infra/java/debezium.xml infra/java/sha256.txt ./
RUN mvn -B -C -ntp --file=kafka.xml dependency:copy-dependencies -DoutputDirectory=/kafka \
    && mvn -B -C -ntp --file=debezium.xml dependency:copy-dependencies -DoutputDirectory=/debezium
WORKDIR /kafka
RUN sha256sum --check --quiet --ignore-missing /build/sha256.txt
WORKDIR /debezium
RUN sha256sum --check --quiet --ignore-missing /build/sha256.txt \
    && mkdir /plugins && tar -xzf ./*.tar.gz -C /plugins

FROM eclipse-temurin:17-jre
RUN useradd --create-home --uid 1001 kafka && mkdir /data && chown kafka /data
COPY --from=jars /kafka /kafka
COPY --from=jars /plugins /plugins
COPY infra/java/metrics-kafka.yaml infra/java/metrics-connect.yaml /metrics/
COPY --chmod=755 infra/containers/kafka.sh /usr/local/bin/kafka.sh
USER 1001
CMD ["kafka.sh", "broker"]
