"""Starting, watching, ending: supervisord keeps services alive, ours is the order, the probes and the words."""
