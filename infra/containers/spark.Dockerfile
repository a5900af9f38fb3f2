# The Spark Connect server: none of our code is in it, it runs SQL and DataFrame plans only.
FROM maven:3.9-eclipse-temurin-17 AS jars
WORKDIR /build
COPY infra/java/lake-jars.xml pom.xml
RUN mvn -B -C -ntp dependency:copy-dependencies -DoutputDirectory=/jars

FROM python:3.11-slim-bookworm
# Debian removes old versions from its archive: a pin here would soon not build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 spark
WORKDIR /home/spark
COPY requirements/spark.txt requirements.txt
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY --from=jars /jars /jars
ENV SPARK_HOME=/usr/local/lib/python3.11/site-packages/pyspark TZ=UTC
COPY --chmod=755 infra/containers/spark-connect.sh /usr/local/bin/spark-connect
USER 1000
CMD ["spark-connect"]
