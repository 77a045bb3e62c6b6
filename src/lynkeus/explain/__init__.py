"""Why a scorer says what it says: plain functions for scorers of any make."""
