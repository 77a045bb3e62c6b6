"""Super-resolution: how near it comes, whether its spread holds, and whether it invents or loses defects."""
