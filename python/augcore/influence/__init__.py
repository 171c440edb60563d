"""Leave-one-out influence of logistic models: what each training point costs its own loss when it is removed."""

from augcore.influence.cross import influence_matrix, influence_topk
from augcore.influence.hessian import LogisticHessian, inverse_hvp, sketched_quadratic_form
from augcore.influence.loo import leverage, log_loss, loo_influence, loo_loss_change, margin, residual
from augcore.influence.refits import LooRefit, retrain_loo
from augcore.influence.solvers import SolverInfo

__all__ = [
    "LogisticHessian",
    "LooRefit",
    "SolverInfo",
    "influence_matrix",
    "influence_topk",
    "inverse_hvp",
    "leverage",
    "log_loss",
    "loo_influence",
    "loo_loss_change",
    "margin",
    "residual",
    "retrain_loo",
    "sketched_quadratic_form",
]
