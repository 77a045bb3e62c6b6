"""Shift entries of an accelerator's logbook, in two languages, with what each is about."""
