"""Metrics: functions of features or images, numbers out, and the table of those that can be asked for."""
