"""Leave-one-out influence of logistic models: what each training point costs its own loss when it is removed."""

from augcore.influence.loo import leverage, log_loss, loo_influence, loo_loss_change, margin, residual
from augcore.influence.refits import LooRefit, retrain_loo

__all__ = [
    "LooRefit",
    "leverage",
    "log_loss",
    "loo_influence",
    "loo_loss_change",
    "margin",
    "residual",
    "retrain_loo",
]
