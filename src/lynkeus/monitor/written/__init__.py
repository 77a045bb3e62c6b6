"""What a logbook says of alarms, kept with them."""
