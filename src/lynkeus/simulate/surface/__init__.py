"""Pictures of metal surfaces."""
