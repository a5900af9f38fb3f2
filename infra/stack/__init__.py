"""Starting, watching and ending the services: supervisord keeps them alive, ours is the order, the probes and the words."""
