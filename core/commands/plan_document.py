"""A plan as a document: the same for what waits in a workspace and for request files."""

from typing import Any

from core.planning.plan import Plan
from core.planning.planned_job import PlannedJob

Document = dict[str, Any]


def plan_document(plan: Plan) -> Document:
    """The jobs in sending order, what they cost, whether they are in time, and why they are as they are."""
    return {
        "items": plan.items,
        "jobs": [_job(job) for job in plan.jobs],
        "predicted_cost": plan.predicted_usd,
        "uncached_cost": plan.predicted_plain_usd,
        "deadline": plan.needs.deadline,
        "confidence": plan.needs.confidence,
        "on_time_probability": plan.timing.on_time_probability,
        "latest_safe_send": plan.timing.latest_send_at,
        "binding": plan.binding,
        "cheaper_by_at_most": plan.timing.gap,
        "reasons": list(plan.reasons),
        "unpriced": plan.unpriced,
    }


def _job(job: PlannedJob) -> Document:
    return {
        "number": job.number,
        "role": job.role,
        "class": job.class_name,
        "class_id": job.class_id,
        "model": job.model,
        "items": job.items,
        "bytes": job.body_bytes,
        "lifetime": job.lifetime,
        "primer": job.primer,
        "send_at": job.send_at,
        "ready_by": job.ready_by,
        "predicted_cost": job.predicted_usd,
        "uncached_cost": job.predicted_plain_usd,
        "decided_by": job.decided_by,
    }
