"""What Grafana and Prometheus show of the routers: dashboards and alerts, as the files in `k8s/monitoring`.

    python -m monitoring          write them

- `queries.py`: how a metric is asked when several routers tell it
- `panels.py`: how a number looks, with its unit and what is too much of it
- `overview.py`, `source.py`, `router.py`, `lanes.py`: a dashboard each, from what one asks first to the details
- `files.py`: what is written where; the alerts themselves stand in `k8s/monitoring/alerts.yaml`
"""
