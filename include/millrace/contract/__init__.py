"""What a problem is: its model, constraints, feature nodes, names and loading. Imports nothing else of ours."""
