"""`python -m monitoring` writes what Grafana and Prometheus read."""

from monitoring.files import made

for path, text in made().items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
