"""Events as tables: columns by expressions of what files hold, with weights, variations, processes and regions."""
