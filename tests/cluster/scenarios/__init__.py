"""What happens on a real cluster: a commit in, states out, and Git, cluster and registry agree."""
