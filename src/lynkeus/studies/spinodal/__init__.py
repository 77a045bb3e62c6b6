"""Spinodal clumping: seen in space in nearly every event, in momentum only in cumulants of many."""
