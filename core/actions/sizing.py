"""How large the jobs of what waits should be, and what other sizes would do."""

from datetime import datetime

from core.planning.class_size import ClassSize, Sizing
from core.planning.needs import Needs
from core.planning.plan import Plan
from core.planning.size_study import SizeStudy, size_study
from core.workspace import Workspace


def study_size(workspace: Workspace, plan: Plan, of: ClassSize, *, needs: Needs, now: datetime) -> SizeStudy:
    """Size one class of a plan under other needs, from what the plan knows of it: no read of the store.

    `of`: one of `plan.sizes`; under the plan's own needs the answer is what the plan does.
    """
    sizing = Sizing(settings=workspace.settings, evidence=plan.evidence, needs=needs, now=now)
    return size_study(of.group, sizing)
