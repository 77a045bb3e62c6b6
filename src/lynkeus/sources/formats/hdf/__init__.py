"""What an HDF5 file may be: columns of one table, fields, channels by train, datasets that have times of their own."""
