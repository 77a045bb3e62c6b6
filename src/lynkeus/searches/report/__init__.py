"""What a search leaves for people and programs: tables, figures, workspaces, and a page."""
