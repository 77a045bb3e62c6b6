"""Study: noise hits of a time projection chamber, removed at a stated loss of signal."""
