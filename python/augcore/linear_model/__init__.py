"""Logistic regression by Newton's method on native sums: exact, deterministic, and ready for influence."""

from augcore.linear_model.cross_validation import LogisticPath, LogisticRegressionCV, logistic_path
from augcore.linear_model.estimator import LogisticRegression
from augcore.linear_model.factor import HessianFactor

__all__ = ["HessianFactor", "LogisticPath", "LogisticRegression", "LogisticRegressionCV", "logistic_path"]
