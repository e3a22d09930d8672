"""Metrics: what attempts at steps and calls of models take, by kind, role and model.

* `summary.summary`     how many there were in some hours, how many worked, how long they took, what they cost
* `keeping.keep_hourly` reads each hour that is over from the journal once, so that summaries need not
"""

from services.metrics.keeping import keep_hourly
from services.metrics.records import By, MetricRow, Metrics
from services.metrics.summary import summary

__all__ = ["By", "MetricRow", "Metrics", "keep_hourly", "summary"]
