"""Which pads are good? Spectra of 83mKr, with an eye-scan and without, beside what is usually done."""
