"""Kubernetes: asked by `explain` alone, from inside the cluster and where it may."""
