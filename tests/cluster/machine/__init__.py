"""A Kubernetes node in namespaces of its own on this machine: etcd to kubelet, from Go modules and Debian packages.

Its processes share a network, a mount, an IPC and a PID namespace, whose first process holds all the others: when that
one is killed, the kernel ends the rest, and with them go mounts, routes, rules and bridges. Nothing in there has a way
out; the machine reaches the node, and only the node, by one cable (`network.py`).
"""
