"""Time projection chambers: pad planes, 83mKr and collision spectra of pads with faults, and events of hits."""
