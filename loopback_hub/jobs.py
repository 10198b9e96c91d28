"""Routes: jobs are taken down and never run."""

from typing import Any

from loopback_hub.handler import Handler, route
from loopback_hub.repos import now

JOBS = r"/api/jobs/(?P<namespace>[^/]+)"


@route("POST", JOBS)
def run_job(request: Handler, namespace: str) -> Any:
    request.may_write(namespace)
    jobs = request.hub.jobs
    job = request.json() | {"id": f"{len(jobs) + 1:024x}", "namespace": namespace, "createdAt": now()}
    jobs.append(job)
    return _told(job)


@route("GET", JOBS)
def list_jobs(request: Handler, namespace: str) -> Any:
    request.may_write(namespace)
    return [_told(job) for job in request.hub.jobs if job["namespace"] == namespace]


def _told(job: dict[str, Any]) -> dict[str, Any]:
    """Describe a job as the Hub does, without the values of its secrets."""
    owner = {"id": job["namespace"], "name": job["namespace"], "type": "user"}
    told = {key: value for key, value in job.items() if key not in ("secrets", "namespace")}
    status = {"stage": "SCHEDULING", "message": None, "failureCount": 0}
    return told | {"secrets": list(job.get("secrets", {})), "owner": owner, "status": status}
