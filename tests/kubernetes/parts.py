"""What a cluster does not bring: PostgreSQL, Kafka, Prefect, Spark Connect, an S3 store, beside it in its network."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dev.stack import Stack
from tests.kubernetes.lab.places import GATEWAY, PROJECT
from tests.servers import s3

# As the manifests' network policies let pods out.
PORTS = {
    "AUTOLOADER_PORT_POSTGRES": "5432",
    "AUTOLOADER_PORT_KAFKA": "9092",
    "AUTOLOADER_PORT_PREFECT": "4200",
    "AUTOLOADER_PORT_SPARK_CONNECT": "15002",
}
S3 = {
    "AWS_ENDPOINT_URL": f"http://{GATEWAY}:443",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
}
WAREHOUSE = {
    "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "warehouse": "s3://warehouse/lake",
    "s3.endpoint": S3["AWS_ENDPOINT_URL"],
    "s3.path-style-access": "true",
    "client.region": S3["AWS_REGION"],
}
PLAINTEXT = "postgres,kafka,prefect,s3,spark-connect"  # nothing of it leaves the lab's network
JARS = "/opt/autoloader/jars"  # in the image


@contextmanager
def running(folder: Path) -> Iterator[Mapping[str, str]]:
    """All of them; the settings of programs that use them."""
    buckets = folder / "buckets"
    for bucket in ("landing", "warehouse"):
        (buckets / bucket).mkdir(parents=True)
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "LANG") if name in os.environ},
        "AUTOLOADER_JARS": str(PROJECT / ".autoloader" / "jars"),
        "AUTOLOADER_ALLOW_PLAINTEXT": PLAINTEXT,
        "AUTOLOADER_SPARK_WARMING": "1",
        **PORTS,
        **S3,
    }
    config = Path(__file__).parent / "overlays" / "test" / "autoloader.yaml"
    parts = ("postgres", "kafka", "prefect", "spark-connect")
    stack = Stack(folder / "stack", config, environ=environ, parts=parts, catalogs={"lake": WAREHOUSE})
    with s3.serving(buckets, f"{GATEWAY}:443", S3):
        stack.up()
        try:
            yield {**stack.settings(), **S3, "AUTOLOADER_ALLOW_PLAINTEXT": PLAINTEXT}
        finally:
            stack.down()


def spark_defaults(settings: Mapping[str, str]) -> str:
    """The configuration of Spark for pods: the stack's catalog and storage, with nothing of this machine's folders."""
    written = (Path(settings["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text().splitlines()
    kept = [line for line in written if line.startswith(("spark.sql.", "spark.hadoop.", "spark.cleaner."))]
    ours = [
        f"spark.driver.extraClassPath {JARS}/*",
        "spark.driver.extraJavaOptions -XX:+UseSerialGC -XX:TieredStopAtLevel=1",  # it ends before it gets hot
        "spark.ui.enabled false",
    ]
    here = "spark.sql.warehouse.dir"  # of tables that are no Iceberg's: a folder
    return "\n".join([line for line in kept if not line.startswith(here)] + ours) + "\n"


def secrets(settings: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """The secrets that the manifests name, with what belongs into each."""
    prefixes = {
        "autoloader-database": ("DATABASE_URL",),
        "autoloader-kafka": ("KAFKA_",),
        "autoloader-prefect": ("PREFECT_API_",),
        "autoloader-storage": ("AWS_",),
        "autoloader-webhook": ("AUTOLOADER_WEBHOOK_SECRET",),
    }
    found = {
        name: {key: value for key, value in settings.items() if key.startswith(of)} for name, of in prefixes.items()
    }
    spark = {
        "SPARK_CONNECT_URL": settings["SPARK_CONNECT_URL"],
        "spark-defaults.conf": spark_defaults(settings),
        "fairscheduler.xml": (PROJECT / "k8s" / "overlays" / "dev" / "fairscheduler.xml").read_text(),
    }
    return {**found, "autoloader-spark": spark}
