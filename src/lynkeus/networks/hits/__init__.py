"""Networks of hits of a time projection chamber: the cells of a cluster and columns of numbers in, a log odds out."""
