"""weaver's YAML data configuration as a layout: what it selects, defines, standardises and weights, by its rules."""
