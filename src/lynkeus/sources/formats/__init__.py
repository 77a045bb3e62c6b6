"""Files of tables, waveforms and histograms."""
