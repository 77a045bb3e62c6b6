"""Several monitors as one service: what a site file says of them, their processes, and who watches over these."""
