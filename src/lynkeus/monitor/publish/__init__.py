"""Sinks: scores and alarms where operators look: process variables, subjects, webhooks, entries of a logbook."""
