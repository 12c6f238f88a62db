"""HTTP: Prefect's webhook comes in, health and metrics go out. A module makes the routes of one thing.

POST /webhooks/prefect   header X-Autoloader-Secret, JSON with flow_run_id; 202, or 403 with a wrong secret
GET  /livez              200 while every stage makes progress, else 503 with the ones that do not
GET  /readyz             200 once every part the router needs has answered, else 503 with what does not
GET  /metrics            Prometheus
"""
