"""Streams: live data of control systems as Sources, events built by time or pulse id."""
