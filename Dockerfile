# One image for router, workers, jobs and commands. BASE has Python 3.11 as `python3`, with venv, and Debian's packages
# of bookworm: there Java 17 is the default. Nothing is written at run time but /tmp and /var/autoloader.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# A slim base has no manuals, and Java's package does not install without their folder.
RUN mkdir -p /usr/share/man/man1 && apt-get update && apt-get install --yes --no-install-recommends maven
WORKDIR /build
COPY dev/__init__.py dev/jars.py dev/parts.py dev/
RUN python3 -m dev.jars > pom.xml && mvn -q -B dependency:copy-dependencies -DoutputDirectory=/opt/autoloader/jars/spark
COPY requirements-runtime.txt ./
RUN python3 -m venv /opt/autoloader \
    && /opt/autoloader/bin/pip install --require-hashes -r requirements-runtime.txt \
    # What no run needs; without -f, so that what is called otherwise in a later version ends the build: tests and
    # examples, of pyarrow its clients of Flight and S3, the slower half of zstandard, of Spark its shell, Hive, the state
    # store of streams, and QUIC and other systems' code in Netty.
    && cd /opt/autoloader/lib/python3*/site-packages \
    && rm -r pandas/tests numpy/*/tests pyarrow/tests pyarrow/include pyspark/examples \
        pyarrow/*flight* pyarrow/*_s3* zstandard/_cffi.* \
    && cd pyspark/jars \
    && rm -r connect-repl rocksdbjni-*.jar datanucleus-*.jar derby*.jar spark-hive*.jar hive-[!s]*.jar hive-s[eh]*.jar \
        netty-codec-native-quic-*-linux-*.jar netty-*-osx-*.jar netty-*-windows-*.jar
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY storage storage
COPY router router
COPY flows flows
COPY worker worker
COPY cli cli
COPY dev dev
RUN /opt/autoloader/bin/pip install --no-deps . && /opt/autoloader/bin/pip uninstall --yes --quiet setuptools pip \
    && /opt/autoloader/bin/python -m dev.class_path /opt/autoloader/jars/all.jar \
        /opt/autoloader/jars/spark /opt/autoloader/lib/python3*/site-packages/pyspark/jars \
    && /opt/autoloader/bin/python -c "import cli.main, flows.ingest, flows.preview, flows.loading.work, worker.child, worker.process_pool"

FROM ${BASE}
RUN mkdir -p /usr/share/man/man1 && apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /usr/share/doc /usr/share/man \
    # Java takes the home of a user without a name to be "?", and Spark ends over that
    && useradd --uid 1000 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin autoloader \
    && install --directory --owner 1000 --group 1000 /var/autoloader
COPY --from=build /opt/autoloader /opt/autoloader
ENV PATH=/opt/autoloader/bin:$PATH \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PREFECT_HOME=/tmp/prefect \
    PYSPARK_PYTHON=/opt/autoloader/bin/python \
    PYTHONUNBUFFERED=1 \
    SPARK_CONF_DIR=/etc/autoloader/spark \
    SPARK_LOCAL_DIRS=/var/autoloader \
    AUTOLOADER_CONFIG=/etc/autoloader/config/autoloader.yaml
WORKDIR /tmp
# What a Spark of a run's own loads of classes, as Java maps it: a third of the time until its first load is done. It is
# taken where the class path begins with that jar; anywhere else Java says that it is not, and starts as ever.
RUN AUTOLOADER_SPARK_CONF='{"spark.driver.extraClassPath": "/opt/autoloader/jars/*", "spark.ui.enabled": "false", \
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions", \
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog", "spark.sql.catalog.lake.type": "hadoop", \
        "spark.sql.catalog.lake.warehouse": "/tmp/lake", "spark.sql.catalog.lake.cache-enabled": "false"}' \
    SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_HOSTNAME=localhost \
    SPARK_SUBMIT_OPTS="-XX:ArchiveClassesAtExit=/opt/autoloader/spark.jsa -Xlog:cds=off,cds+dynamic=off" \
    sh -c "python -m flows.loading.warming lake /tmp 1 && touch /tmp/loaded" 2>&1 | cat \
    # cat ends when Java has, and Java writes the archive when it ends
    && test -f /tmp/loaded && test -s /opt/autoloader/spark.jsa && rm -rf /tmp/* /var/autoloader/*
ENV SPARK_SUBMIT_OPTS=-XX:SharedArchiveFile=/opt/autoloader/spark.jsa
USER 1000:1000
ENTRYPOINT ["autoloader"]
